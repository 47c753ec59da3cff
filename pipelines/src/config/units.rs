//! Amounts of bytes and of time, as people write them.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// A number of bytes: `500k`, `100M`, `2G`, or a bare number; powers of 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Text")]
pub struct Amount(pub u64);

/// A length of time: `90s`, `5min`, `1h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Number(u64),
    Text(String),
}

impl TryFrom<Text> for Amount {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        match text {
            Text::Number(bytes) => Ok(Self(bytes)),
            Text::Text(text) => {
                let units = [("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000), ("", 1)];
                scaled(&text, &units).map(Self)
            }
        }
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let units = [("min", 60), ("s", 1), ("h", 3600), ("d", 86_400)];
        scaled(&text, &units).map(|seconds| Self(Duration::from_secs(seconds)))
    }
}

/// The number before the unit that `text` ends in, times the unit.
fn scaled(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let number = |(unit, factor): &(&str, u64)| {
        text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*factor)
    };
    units.iter().find_map(number).filter(|&value| value > 0).ok_or_else(|| {
        let names: Vec<&str> =
            units.iter().map(|(unit, _)| *unit).filter(|unit| !unit.is_empty()).collect();
        format!("`{text}`: expected a whole number above 0 with {}", names.join(", "))
    })
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a number of bytes, as in 500k, 100M or 2G",
            "type": ["string", "integer"],
            "pattern": "^[1-9][0-9]{0,8}[kMG]?$",
            "minimum": 1,
        })
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a length of time, as in 90s, 5min, 1h or 7d",
            "type": "string",
            "pattern": "^[1-9][0-9]{0,8}(s|min|h|d)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_spans() {
        let amount = |json: &str| serde_json::from_str::<Amount>(json).map(|amount| amount.0);
        for (json, bytes) in
            [("12", 12), ("\"12\"", 12), ("\"5k\"", 5_000), ("\"2G\"", 2_000_000_000)]
        {
            assert_eq!(amount(json).unwrap(), bytes);
        }
        let span = |json: &str| serde_json::from_str::<Span>(json).map(|span| span.0.as_secs());
        for (json, seconds) in
            [("\"90s\"", 90), ("\"5min\"", 300), ("\"1h\"", 3600), ("\"7d\"", 604_800)]
        {
            assert_eq!(span(json).unwrap(), seconds);
        }
        for json in ["\"0k\"", "\"5m\"", "\"-1M\"", "\"99999999999999999999\""] {
            assert!(amount(json).is_err(), "{json}");
        }
        for json in ["\"1m\"", "\"1\"", "\"h\"", "\"1.5h\""] {
            assert!(span(json).is_err(), "{json}");
        }
    }
}
