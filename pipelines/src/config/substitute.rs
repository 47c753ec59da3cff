//! `${NAME}` and `${NAME:-default}` in a value.

/// A value with its variables replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Substituted {
    pub(super) text: String,
    /// Whether anything was replaced.
    pub(super) changed: bool,
}

/// Replaces every variable of `text`; `$${` stands for `${`.
///
/// # Errors
///
/// What is wrong, and what to write instead.
pub(super) fn substitute(
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Substituted, String> {
    let (mut found, mut changed, mut rest) = (String::new(), false, text);
    while let Some(start) = rest.find("${") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            found.push_str(before);
            found.push_str("${");
            (rest, changed) = (after, true);
            continue;
        }
        found.push_str(before);
        let end = after.find('}').ok_or("`${` without a `}`; write `$${` for the characters")?;
        found.push_str(&value_of(&after[..end], environment)?);
        (rest, changed) = (&after[end + 1..], true);
    }
    found.push_str(rest);
    Ok(Substituted { text: found, changed })
}

fn value_of(inner: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let start = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !start || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!(
            "`${{{inner}}}`: expected the name of an environment variable, as in ${{NAME}} or \
             ${{NAME:-default}}"
        ));
    }
    // As in a shell, an empty variable takes the default too.
    match (environment(name).filter(|value| default.is_none() || !value.is_empty()), default) {
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(format!(
            "the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "CAM" => Some("cam1".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_and_defaults() {
        for (text, expected, changed) in [
            ("plain $5 }", "plain $5 }", false),
            ("${CAM}", "cam1", true),
            ("rtsp://${CAM}/${NO:-main}?a=${EMPTY}", "rtsp://cam1/main?a=", true),
            ("${EMPTY:-b}${NO:-}", "b", true),
            ("$${CAM} ${CAM}", "${CAM} cam1", true),
        ] {
            let found = substitute(text, &environment).unwrap();
            assert_eq!(found, Substituted { text: expected.to_owned(), changed }, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("${NO}", "NO is not set"),
            ("a ${CAM", "without a `}`"),
            ("${1X}", "expected the name"),
            ("${}", "expected the name"),
        ] {
            let error = substitute(text, &environment).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
