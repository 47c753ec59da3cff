//! What is wrong with a pipeline file, and where.

use std::fmt;
use std::path::Path;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::document::{Document, escaped};

/// How alike a known key must be to be proposed, 0 to 1.
const ALIKE: f64 = 0.7;

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the file, from 1.
    Line {
        /// Line.
        line: usize,
        /// Column, in characters.
        column: usize,
    },
    /// On the command line.
    Set(String),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// The keys that lead there, joined by dots; empty for the file as a whole.
    pub path: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl Problem {
    /// A problem at a JSON pointer.
    pub(super) fn at(place: Place, pointer: &str, message: impl Into<String>) -> Self {
        let path = pointer.trim_start_matches('/').replace('/', ".");
        let path = path.replace("~1", "/").replace("~0", "~");
        Self { place, path, message: message.into() }
    }

    /// One line, as compilers write theirs.
    pub fn in_file(&self, file: &Path) -> String {
        let line = match &self.place {
            Place::Line { line, column } => format!("{}:{line}:{column}: {self}", file.display()),
            // Not its value, which may be a password.
            Place::Set(set) => {
                let key = set.split_once('=').map_or(set.as_str(), |(key, _)| key);
                format!("--set {key}: {self}")
            }
        };
        super::without_passwords(&line)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Holds a document against the schema. A value that came from a variable becomes text or a
/// number, whichever is expected.
pub(super) fn validate(document: &mut Document, schema: &Value) -> Result<(), Vec<Problem>> {
    let unusable = |error: &dyn fmt::Display| {
        let message = format!("the schema is broken: {error}");
        vec![Problem::at(Place::Line { line: 1, column: 1 }, "", message)]
    };
    let validator = jsonschema::validator_for(schema).map_err(|error| unusable(&error))?;
    for (pointer, value) in retyped(document, &validator) {
        document.replace(&pointer, value);
    }
    let mut found = Found { document, schema, problems: Vec::new() };
    validator.iter_errors(&document.value).for_each(|error| found.add(&error));
    let mut problems = found.problems;
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort_by_key(|problem| match &problem.place {
        Place::Line { line, column } => (*line, *column),
        Place::Set(_) => (usize::MAX, 0),
    });
    problems.dedup();
    Err(problems)
}

/// Values of replaced variables whose type is not the expected one, with the other type.
fn retyped(document: &Document, validator: &jsonschema::Validator) -> Vec<(String, Value)> {
    let mut leaves = Vec::new();
    for error in validator.iter_errors(&document.value) {
        leaves_of(&error, &mut |leaf| {
            let pointer = leaf.instance_path().as_str().to_owned();
            let Some(text) = document.replaced_text(&pointer) else { return };
            let ValidationErrorKind::Type { kind } = leaf.kind() else { return };
            let takes = |wanted: JsonType| match kind {
                TypeKind::Single(kind) => *kind == wanted,
                TypeKind::Multiple(kinds) => kinds.contains(wanted),
            };
            let value = if takes(JsonType::String) {
                Some(Value::String(text.to_owned()))
            } else {
                serde_json::from_str(text).ok()
            };
            leaves.extend(value.map(|value| (pointer, value)));
        });
    }
    leaves
}

/// Hands on the errors that matter: of alternatives, those of the one that was meant.
fn leaves_of<'e>(error: &'e ValidationError<'_>, each: &mut dyn FnMut(&'e ValidationError<'_>)) {
    match meant(error) {
        Some(errors) => errors.iter().for_each(|error| leaves_of(error, each)),
        None => each(error),
    }
}

/// The errors of the alternative that was meant, if it can be told: the one whose errors all lie
/// deeper than the alternatives themselves, or the only one that is not `null`.
fn meant<'e>(error: &'e ValidationError<'_>) -> Option<&'e [ValidationError<'static>]> {
    let (ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context }) =
        error.kind()
    else {
        return None;
    };
    let here = error.instance_path().as_str();
    let deeper = |errors: &&Vec<ValidationError<'static>>| {
        errors.iter().all(|error| error.instance_path().as_str() != here)
    };
    let is_null = |errors: &&Vec<ValidationError<'static>>| {
        errors.iter().any(|error| {
            matches!(
                error.kind(),
                ValidationErrorKind::Type { kind: TypeKind::Single(JsonType::Null) }
            )
        })
    };
    let mut candidates = context.iter().filter(deeper);
    if let (Some(only), None) = (candidates.next(), candidates.next()) {
        return Some(only);
    }
    let mut others = context.iter().filter(|errors| !is_null(errors));
    match (others.next(), others.next()) {
        (Some(only), None) if context.len() > 1 => Some(only),
        _ => None,
    }
}

/// Whether a text would be something else without its quotes.
fn is_quoted(value: &Value) -> bool {
    let plain = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    plain.is_some_and(|value| value.is_number() || value.is_boolean())
}

struct Found<'a> {
    document: &'a Document,
    schema: &'a Value,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn add(&mut self, error: &ValidationError<'_>) {
        let mut leaves = Vec::new();
        leaves_of(error, &mut |leaf| leaves.push(leaf));
        for leaf in leaves {
            self.leaf(leaf);
        }
    }

    fn leaf(&mut self, error: &ValidationError<'_>) {
        let pointer = error.instance_path().as_str();
        if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
            let known = self.known_keys(error);
            for key in unexpected {
                let below = format!("{pointer}/{}", escaped(key));
                let message = format!("unknown key{}", proposal(key, &known));
                let place = self.document.key_place(&below);
                self.problems.push(Problem::at(place, &below, message));
            }
            return;
        }
        let message = self.message(error);
        self.problems.push(Problem::at(self.document.place(pointer), pointer, message));
    }

    /// The keys that the schema has beside the one that the error is about.
    fn known_keys(&self, error: &ValidationError<'_>) -> Vec<String> {
        let around = self.around(error);
        let properties = around.and_then(|schema| schema.get("properties")?.as_object().cloned());
        properties.map(|map| map.keys().cloned().collect()).unwrap_or_default()
    }

    /// The schema whose keyword is not met.
    fn around(&self, error: &ValidationError<'_>) -> Option<&Value> {
        let path = error.schema_path().as_str();
        self.schema.pointer(path.rsplit_once('/').map_or("", |(around, _)| around))
    }

    fn message(&self, error: &ValidationError<'_>) -> String {
        let value = self.shown(error);
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                format!("`{}` is missing", property.as_str().unwrap_or_default())
            }
            ValidationErrorKind::Type { kind } if is_quoted(error.instance()) => {
                format!("{value} in quotes, which is text; expected {}", type_name(kind))
            }
            ValidationErrorKind::Type { kind } => format!("{value}; expected {}", type_name(kind)),
            ValidationErrorKind::Enum { options } => {
                let names = texts(options);
                let proposal = match error.instance().as_str() {
                    Some(text) => proposal(text, &names),
                    None => format!("; expected {}", names.join(", ")),
                };
                format!("{value}{proposal}")
            }
            ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. } => {
                format!("{value}; expected {}", self.range(error))
            }
            ValidationErrorKind::Pattern { pattern } => {
                let description = self.around(error).and_then(|schema| schema.get("description"));
                // The first sentence of a field's documentation says what it takes.
                let text = description.and_then(Value::as_str).unwrap_or(pattern);
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                let first = text.split_once(". ").map_or(&*text, |(first, _)| first);
                format!("{value} does not fit: {}", first.trim_end_matches('.'))
            }
            ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::AnyOf { .. } => {
                self.alternatives(error)
            }
            ValidationErrorKind::MinProperties { .. } => "empty; expected at least one".to_owned(),
            ValidationErrorKind::PropertyNames { error } => format!(
                "the name {}; expected letters, digits, `_`, `-` and `.`, at most 64, none of the \
                 last two first",
                error.instance()
            ),
            _ => error.masked_with(value).to_string(),
        }
    }

    /// None of several alternatives was meant: each is a constant, or a mapping of one key.
    fn alternatives(&self, error: &ValidationError<'_>) -> String {
        let value = self.shown(error);
        let branches = self.schema.pointer(error.schema_path().as_str()).and_then(Value::as_array);
        let of = |key: &str| -> Vec<String> {
            branches
                .into_iter()
                .flatten()
                .filter_map(|branch| branch.get(key))
                .flat_map(texts)
                .collect()
        };
        let keys = of("required");
        if keys.is_empty() {
            let names = [of("const"), of("enum")].concat();
            return match error.instance().as_str() {
                Some(text) => format!("{value}{}", proposal(text, &names)),
                None => format!("{value}; expected one of {}", names.join(", ")),
            };
        }
        let given: Vec<&String> =
            error.instance().as_object().map(|map| map.keys().collect()).unwrap_or_default();
        match given[..] {
            [key] => format!("`{key}` is none that is known{}", proposal(key, &keys)),
            [] => {
                format!("{value}; expected a key with settings below, one of {}", keys.join(", "))
            }
            _ => format!("{} keys; expected exactly one of {}", given.len(), keys.join(", ")),
        }
    }

    fn range(&self, error: &ValidationError<'_>) -> String {
        let limit = |key: &str| self.around(error).and_then(|schema| schema.get(key));
        match (limit("minimum"), limit("maximum")) {
            (Some(low), Some(high)) if low == high => low.to_string(),
            (Some(low), Some(high)) => format!("{low} to {high}"),
            (Some(low), None) => format!("{low} or more"),
            (None, Some(high)) => format!("at most {high}"),
            (None, None) => "another value".to_owned(),
        }
    }

    /// The value as it may be shown: nothing of a password.
    fn shown(&self, error: &ValidationError<'_>) -> String {
        let pointer = error.instance_path().as_str();
        if pointer.ends_with("/password") {
            return "the password (not shown)".to_owned();
        }
        match error.instance().as_ref() {
            Value::String(text) => format!("`{}`", super::without_password(text)),
            Value::Object(_) => "a mapping".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::Null => "nothing".to_owned(),
            other => other.to_string(),
        }
    }
}

fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        value => vec![text(value)],
    }
}

fn type_name(kind: &TypeKind) -> String {
    let name = |kind: JsonType| match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Null => "nothing",
        JsonType::Number => "a number",
        JsonType::Object => "a mapping of keys to values",
        JsonType::String => "text (quote what would be a number)",
    };
    match kind {
        TypeKind::Single(kind) => name(*kind).to_owned(),
        TypeKind::Multiple(kinds) => {
            let named = kinds.iter().filter(|kind| *kind != JsonType::Null).map(name);
            named.collect::<Vec<_>>().join(" or ")
        }
    }
}

/// What may have been meant, and what there is.
fn proposal(name: &str, known: &[String]) -> String {
    let likeness = |known: &&String| strsim::jaro_winkler(name, known);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let meant = nearest.filter(|nearest| likeness(nearest) >= ALIKE);
    let hint = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    if known.is_empty() { hint } else { format!("{hint} (known: {})", known.join(", ")) }
}
