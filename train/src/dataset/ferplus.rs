//! FER+ (Barsoum et al. 2016): ten people's votes on each image of FER2013, joined by row.

use std::path::{Path, PathBuf};

use fer_core::emotion::Emotion;

use super::{Dataset, DatasetError, Split, fer2013, text_of};

/// Names that the file of votes has: as it is handed on, and in Microsoft's repository.
const NAMES: [&str; 2] = ["ferplus_votes.csv", "fer2013new.csv"];

const HEADER: &str = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,\
                      contempt,unknown,NF";
/// The columns that count, from the third on; FER2013 has no class for the last three.
const COUNTED: [Emotion; 7] = [
    Emotion::Neutral,
    Emotion::Happiness,
    Emotion::Surprise,
    Emotion::Sadness,
    Emotion::Anger,
    Emotion::Disgust,
    Emotion::Fear,
];

type Distribution = [f32; Emotion::COUNT];

/// The file of votes in the folder of `csv`, if there is one.
pub(super) fn beside(csv: &Path) -> Option<PathBuf> {
    NAMES.iter().map(|name| csv.with_file_name(name)).find(|path| path.is_file())
}

/// Reads votes and sets them on all three splits of FER2013, whose rows have the splits `order`.
///
/// Row `n` of the votes belongs to row `n` of FER2013: the image names have gaps and are not used.
pub(super) fn attach(
    dataset: &mut Dataset,
    order: &[Split],
    path: &Path,
) -> Result<(), DatasetError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| DatasetError::Io { path: path.to_owned(), source })?;
    let votes = parse(&text, order, path)?;
    for (split, votes) in Split::ALL.into_iter().zip(votes) {
        dataset.images_mut(split).set_votes(votes);
    }
    Ok(())
}

/// The votes of each split; `path` is only used to name the source in errors.
fn parse(text: &str, order: &[Split], path: &Path) -> Result<[Vec<f32>; 3], DatasetError> {
    let mut lines = text.lines().map(str::trim_end);
    let header = lines.next().unwrap_or_default();
    if header != HEADER {
        let found = text_of(header.as_bytes());
        return Err(DatasetError::Header { path: path.to_owned(), found, expected: HEADER });
    }
    let mut votes = [Vec::new(), Vec::new(), Vec::new()];
    let mut expected = order.iter().copied();
    let wrong = |row, problem| DatasetError::Row { path: path.to_owned(), row, problem };
    for (index, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        let row = index + 2;
        let split = expected.next().ok_or_else(|| {
            wrong(row, format!("a row too many; FER2013's CSV has {} images", order.len()))
        })?;
        let distribution = parse_row(line, split).map_err(|problem| wrong(row, problem))?;
        votes[split as usize].extend(distribution);
    }
    let missing = expected.len();
    if missing > 0 {
        let problem = format!(
            "the votes end here, {missing} rows short; expected {}, one for each image of \
             FER2013's CSV",
            order.len()
        );
        return Err(wrong(order.len() - missing + 1, problem));
    }
    Ok(votes)
}

fn parse_row(line: &str, split: Split) -> Result<Distribution, String> {
    let fields: Vec<&str> = line.split(',').collect();
    let expected = HEADER.split(',').count();
    if fields.len() != expected {
        return Err(format!("{} fields; expected {expected} (`{HEADER}`)", fields.len()));
    }
    let usage = super::Origin::Fer2013.split_name(split);
    if fer2013::split_of(fields[0].as_bytes()) != Some(split) {
        let found = text_of(fields[0].as_bytes());
        return Err(format!("usage `{found}`; expected {usage}, as in FER2013's CSV"));
    }
    let mut votes = Distribution::default();
    for (column, text) in HEADER.split(',').zip(&fields).skip(2) {
        let count: u16 = text.parse().map_err(|_| {
            let found = text_of(text.as_bytes());
            format!("{column} is `{found}`; expected a number of votes")
        })?;
        if let Some(emotion) = COUNTED.iter().find(|emotion| emotion.name() == column) {
            votes[emotion.index()] = f32::from(count);
        }
    }
    let sum: f32 = votes.iter().sum();
    Ok(if sum > 0.0 { votes.map(|count| count / sum) } else { votes })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: [Split; 3] = [Split::Training, Split::Test, Split::Training];
    const ROWS: [&str; 3] = [
        "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0",
        "PrivateTest,,0,0,0,0,0,0,0,3,6,1",
        "Training,fer0000009.png,0,1,2,0,0,0,1,5,1,0",
    ];

    fn votes(rows: &[&str]) -> Result<[Vec<f32>; 3], DatasetError> {
        parse(&[&[HEADER], rows].concat().join("\r\n"), &ORDER, Path::new("votes.csv"))
    }

    #[test]
    fn the_seven_classes_share_each_row_and_rows_keep_their_place() {
        let [training, validation, test] = votes(&ROWS).unwrap();
        // FER2013's order: anger, disgust, fear, happiness, sadness, surprise, neutral.
        // Row 1: ten votes for them. Row 3: four, as contempt and unknown do not count.
        assert_eq!(training[..7], [0.3, 0.2, 0.0, 0.0, 0.1, 0.0, 0.4]);
        assert_eq!(training[7..], [0.0, 0.0, 0.25, 0.25, 0.0, 0.5, 0.0]);
        assert!(validation.is_empty());
        assert_eq!(test, [0.0; 7]);
    }

    #[test]
    fn each_mistake_is_named_with_its_row() {
        let [first, second, third] = ROWS;
        let usage = third.replace("Training", "PublicTest");
        let number = third.replace(",2,", ",two,");
        let negative = third.replace(",2,", ",-2,");
        let short = third.replace(",5,1,0", ",5,1");
        for (rows, parts) in [
            (vec![first, second, &usage], ["row 4: usage `PublicTest`", "expected Training"]),
            (vec![first, second, &number], ["row 4: surprise is `two`", "number of votes"]),
            (vec![first, second, &negative], ["row 4: surprise is `-2`", "number of votes"]),
            (vec![first, second, &short], ["row 4: 11 fields", "expected 12"]),
            (vec![first, second, third, third], ["row 5: a row too many", "has 3 images"]),
            (vec![first], ["row 2: the votes end here, 2 rows short", "expected 3"]),
            (vec![], ["row 1: the votes end here, 3 rows short", "expected 3"]),
        ] {
            let error = votes(&rows).unwrap_err().to_string();
            for part in parts.into_iter().chain(["`votes.csv`"]) {
                assert!(error.contains(part), "{part}: {error}");
            }
        }
        let error = parse("a,b", &ORDER, Path::new("votes.csv")).unwrap_err().to_string();
        assert!(error.contains("`a,b`") && error.contains("Usage,Image name"), "{error}");
    }
}
