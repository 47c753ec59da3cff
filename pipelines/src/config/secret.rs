//! What is never printed.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// A password: its `Debug` form shows nothing of it.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The password itself, for whoever logs in.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An address as it may be shown: `user:password@` becomes `user:***@`, and what follows a question
/// mark, which may be a key, `***`. One that is written wrongly, without a scheme or with a
/// password that is not escaped, hides no less.
pub fn without_password(url: &str) -> String {
    let start = url.find(":/").map_or(0, |colon| {
        let after = url[colon + 1..].trim_start_matches('/');
        url.len() - after.len()
    });
    let (scheme, rest) = url.split_at(start);
    let (login, place) = match end_of_login(rest) {
        Some(at) => rest.split_at(at),
        None => ("", rest),
    };
    let (user, mask) = match login.split_once(':') {
        Some((user, _)) => (user, ":***"),
        None => (login, ""),
    };
    let (place, key) = match place.split_once('?') {
        Some((place, _)) if !scheme.is_empty() => (place, "?***"),
        _ => (place, ""),
    };
    format!("{scheme}{user}{mask}{place}{key}")
}

/// Where the `@` behind a login stands, in an address without its scheme.
fn end_of_login(rest: &str) -> Option<usize> {
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    authority.rfind('@').or_else(|| {
        // Of a password with one of these characters, or of none if what looks like it is a port.
        let (_, password) = authority.split_once(':')?;
        let is_port = !password.is_empty() && password.bytes().all(|byte| byte.is_ascii_digit());
        rest.rfind('@').filter(|_| !is_port)
    })
}

/// A message as it may be shown: nothing of a password in any address that it quotes, and nothing that a
/// terminal would obey, as a server or the name of a file may have it.
pub fn without_passwords(text: &str) -> String {
    let is_order = |c: char| c.is_control() && c != '\n' && c != '\t';
    let text = text.replace(is_order, "\u{fffd}");
    let (mut shown, mut rest) = (String::new(), text.as_str());
    while let Some(colon) = rest.find("://") {
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let start = rest[..colon].trim_end_matches(is_scheme).len();
        let ends = |c: char| c.is_whitespace() || "`\"'".contains(c);
        let end = rest[colon..].find(ends).map_or(rest.len(), |end| colon + end);
        shown += &rest[..start];
        shown += &without_password(&rest[start..end]);
        rest = &rest[end..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            ("rtsp://camera/1", "rtsp://camera/1"),
            ("rtsp://me@camera/1", "rtsp://me@camera/1"),
            ("rtsp://me:p@ss:w@camera:554/1?a=b@c", "rtsp://me:***@camera:554/1?***"),
            ("rtsp://camera:554/1@2", "rtsp://camera:554/1@2"),
            ("rtsp://me:p/a?s#s@camera/1", "rtsp://me:***@camera/1"),
            ("me:secret@camera/1", "me:***@camera/1"),
            ("rtsp:/me:secret@camera/1", "rtsp:/me:***@camera/1"),
            ("clips/what?*.mp4", "clips/what?*.mp4"),
            ("http://me:secret@camera", "http://me:***@camera"),
            ("/dev/video0", "/dev/video0"),
        ] {
            assert_eq!(without_password(url), shown);
        }
        assert_eq!(
            without_passwords("`rtsp://me:a@b`, http://c/d?key=e (at file:///f) a: b@c: no"),
            "`rtsp://me:***@b`, http://c/d?*** (at file:///f) a: b@c: no"
        );
        assert_eq!(without_passwords("\x1b[2J404\n"), "\u{fffd}[2J404\n");
        assert_eq!(format!("{:?}", Secret::from("x".to_owned())), "***");
    }
}
