//! What models are called beside each other.

use std::path::{Component, Path};

/// A file's name; of several models, with the folders below those that all lie in.
pub(super) fn names(paths: &[&Path]) -> Vec<String> {
    let folders: Vec<Vec<Component<'_>>> = paths
        .iter()
        .map(|path| path.parent().into_iter().flat_map(Path::components).collect())
        .collect();
    let shared = folders.first().map_or(0, |first| {
        let is_shared = |at: &usize| folders.iter().all(|other| other.get(*at) == first.get(*at));
        (0..first.len()).take_while(is_shared).count()
    });
    let name = |path: &&Path| path.components().skip(shared).collect::<std::path::PathBuf>();
    paths.iter().map(|path| name(path).to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_where_they_differ() {
        let named = |paths: &[&str]| names(&paths.iter().map(Path::new).collect::<Vec<_>>());
        assert_eq!(named(&["runs/a/best.safetensors"]), ["best.safetensors"]);
        assert_eq!(named(&["/r/a/best.x", "/r/b/best.x"]), ["a/best.x", "b/best.x"]);
        assert_eq!(named(&["r/a.x", "r/b.x"]), ["a.x", "b.x"]);
        assert_eq!(named(&["r/a.x", "r/s/a.x", "q.yaml"]), ["r/a.x", "r/s/a.x", "q.yaml"]);
        assert_eq!(named(&["r/a.x", "r/a.x"]), ["a.x", "a.x"]);
    }
}
