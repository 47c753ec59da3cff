//! `${NAME}` and `${NAME:-default}` in a value.

/// A value with its variables replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Substituted {
    pub(super) text: String,
    /// Whether anything was replaced.
    pub(super) changed: bool,
    /// Whether a default took the place of a variable.
    pub(super) by_default: bool,
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
    let mut found = Substituted { text: String::new(), changed: false, by_default: false };
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            found.text += before;
            found.text += "${";
            (rest, found.changed) = (after, true);
            continue;
        }
        let end = after.find('}').ok_or("`${` without a `}`; write `$${` for the characters")?;
        let (value, is_default) = value_of(&after[..end], environment)?;
        found.text += before;
        found.text += &value;
        found.by_default |= is_default;
        (rest, found.changed) = (&after[end + 1..], true);
    }
    found.text += rest;
    Ok(found)
}

/// The value of what stands between braces, and whether it is the default.
fn value_of(
    inner: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(String, bool), String> {
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
    if default.is_some_and(|default| default.contains("${")) {
        return Err(format!(
            "`${{{inner}}}`: a default cannot hold a variable; expected plain text after `:-`"
        ));
    }
    // As in a shell, an empty variable takes the default too.
    match (environment(name).filter(|value| default.is_none() || !value.is_empty()), default) {
        (Some(value), _) => Ok((value, false)),
        (None, Some(default)) => Ok((default.to_owned(), true)),
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
        for (text, expected, changed, by_default) in [
            ("plain $5 }", "plain $5 }", false, false),
            ("${CAM}", "cam1", true, false),
            ("rtsp://${CAM}/${NO:-main}?a=${EMPTY}", "rtsp://cam1/main?a=", true, true),
            ("${EMPTY:-b}${NO:-}", "b", true, true),
            ("${CAM:-b}", "cam1", true, false),
            ("$${CAM} ${CAM}", "${CAM} cam1", true, false),
        ] {
            let found = substitute(text, &environment).unwrap();
            let text = expected.to_owned();
            assert_eq!(found, Substituted { text, changed, by_default }, "{expected}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("${NO}", "NO is not set"),
            ("a ${CAM", "without a `}`"),
            ("${1X}", "expected the name"),
            ("${}", "expected the name"),
            ("${CAM:-${NO}}", "a default cannot hold a variable"),
        ] {
            let error = substitute(text, &environment).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
