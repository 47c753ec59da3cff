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

/// An address as it may be shown: `user:password@` becomes `user:***@`.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((login, host)) => {
            let user = login.split_once(':').map_or(login, |(user, _)| user);
            let mask = if login.contains(':') { ":***" } else { "" };
            format!("{scheme}://{user}{mask}@{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            ("rtsp://camera/1", "rtsp://camera/1"),
            ("rtsp://me@camera/1", "rtsp://me@camera/1"),
            ("rtsp://me:p@ss:w@camera:554/1?a=b@c", "rtsp://me:***@camera:554/1?a=b@c"),
            ("http://me:secret@camera", "http://me:***@camera"),
            ("/dev/video0", "/dev/video0"),
        ] {
            assert_eq!(without_password(url), shown);
        }
        assert_eq!(format!("{:?}", Secret::from("x".to_owned())), "***");
    }
}
