//! YAML as a tree of values that remembers where each of them stands.

use std::borrow::Cow;
use std::collections::BTreeMap;

use saphyr::{MarkedYaml, Scalar, ScalarStyle, Tag, YamlData, YamlLoader};
use saphyr_parser::{Event, Parser};
use serde_json::{Map, Number, Value};

use super::Problem;
use super::problem::Place;
use super::substitute::substitute;

/// YAML's key that takes over the entries of another mapping.
const MERGE: &str = "<<";
/// Nodes that aliases may make of a file, so that a small one cannot grow without end.
const MOST_NODES: usize = 100_000;
/// Mappings and lists inside of each other; a pipeline file has six. Whoever reads them goes as deep on
/// the stack.
const DEEPEST: usize = 64;

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A file's value and the places of its parts, by JSON pointer.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) value: Value,
    places: BTreeMap<String, Place>,
    /// What was written where a variable was replaced: it becomes whatever the schema expects.
    texts: BTreeMap<String, String>,
}

impl Document {
    /// Reads YAML, replaces variables, and makes the changes `key.path=value`.
    pub(super) fn parse(
        text: &str,
        sets: &[String],
        environment: Environment<'_>,
    ) -> Result<Self, Vec<Problem>> {
        let root = load(text).map_err(|problem| vec![problem])?;
        let mut reader = Reader {
            environment,
            document: Self { value: Value::Null, places: BTreeMap::new(), texts: BTreeMap::new() },
            problems: Vec::new(),
            nodes: 0,
            depth: 0,
        };
        reader.document.value = reader.node(&root, "");
        for set in sets {
            if let Err(message) = reader.set(set) {
                reader.problems.push(Problem::at(Place::Set(set.clone()), "", message));
            }
        }
        if reader.problems.is_empty() { Ok(reader.document) } else { Err(reader.problems) }
    }

    /// Where the value at a JSON pointer stands, or the nearest one around it.
    pub(super) fn place(&self, pointer: &str) -> Place {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.places.get(pointer) {
                return place.clone();
            }
            match pointer.rfind('/') {
                Some(end) => pointer = &pointer[..end],
                None => return Place::Line { line: 1, column: 1 },
            }
        }
    }

    /// Where the key at a JSON pointer stands.
    pub(super) fn key_place(&self, pointer: &str) -> Place {
        let key = format!("{pointer}\0");
        self.places.get(&key).cloned().unwrap_or_else(|| self.place(pointer))
    }

    /// The text of a value in which a variable was replaced.
    pub(super) fn replaced_text(&self, pointer: &str) -> Option<&str> {
        self.texts.get(pointer).map(String::as_str)
    }

    /// Puts another value in the place of one that is there.
    pub(super) fn replace(&mut self, pointer: &str, value: Value) {
        if let Some(old) = self.value.pointer_mut(pointer) {
            *old = value;
        }
    }
}

fn load(text: &str) -> Result<MarkedYaml<'_>, Problem> {
    check_depth(text)?;
    let mut loader = YamlLoader::<MarkedYaml<'_>>::default();
    // Kept as written, so that a replaced variable can still be told from quoted text.
    loader.early_parse(false);
    loader.alias_limit(MOST_NODES);
    let scanned = Parser::new_from_str(text).load(&mut loader, true);
    let broken = |error: &saphyr::ScanError| {
        let marker = error.marker();
        let place = Place::Line { line: marker.line(), column: marker.col() + 1 };
        let line = text.lines().nth(marker.line().saturating_sub(1)).unwrap_or_default();
        let is_variable = line.contains("${");
        let hint =
            if is_variable { "; write `\"${NAME}\"` with quotes inside of `{ }`" } else { "" };
        Problem::at(place, "", format!("this is no YAML: {}{hint}", error.info()))
    };
    scanned.map_err(|error| broken(&error))?;
    if let Some(error) = loader.error() {
        return Err(broken(error));
    }
    let mut documents = loader.into_documents();
    let first = Place::Line { line: 1, column: 1 };
    match documents.len() {
        1 => Ok(documents.remove(0)),
        0 => Err(Problem::at(first, "", "the file is empty; expected `version: 1` and `streams`")),
        count => Err(Problem::at(
            first,
            "",
            format!("the file holds {count} YAML documents; expected one"),
        )),
    }
}

/// Refuses what the loader could not follow. What is no YAML at all is for the loader to tell.
fn check_depth(text: &str) -> Result<(), Problem> {
    let mut depth = 0_usize;
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            let place = Place::Line { line: span.start.line(), column: span.start.col() + 1 };
            return Err(Problem::at(place, "", too_deep()));
        }
    }
    Ok(())
}

fn too_deep() -> String {
    format!("more than {DEEPEST} mappings and lists inside of each other")
}

struct Reader<'a> {
    environment: Environment<'a>,
    document: Document,
    problems: Vec<Problem>,
    nodes: usize,
    depth: usize,
}

impl Reader<'_> {
    fn node(&mut self, node: &MarkedYaml<'_>, pointer: &str) -> Value {
        let place = place_of(node);
        self.document.places.insert(pointer.to_owned(), place.clone());
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            if self.nodes == MOST_NODES + 1 {
                let message = format!("aliases make more than {MOST_NODES} values of the file");
                self.problems.push(Problem::at(place, pointer, message));
            }
            return Value::Null;
        }
        // Aliases go deeper than what is written.
        if self.depth > DEEPEST {
            self.problems.push(Problem::at(place, pointer, too_deep()));
            return Value::Null;
        }
        self.depth += 1;
        let value = self.data(&node.data, pointer, place);
        self.depth -= 1;
        value
    }

    fn data<'y>(
        &mut self,
        data: &YamlData<'y, MarkedYaml<'y>>,
        pointer: &str,
        place: Place,
    ) -> Value {
        match data {
            YamlData::Representation(text, style, tag) => {
                self.scalar(text, *style, tag.as_deref(), pointer, place)
            }
            YamlData::Value(scalar) => plain(scalar),
            YamlData::Sequence(items) => {
                let item = |(index, item)| self.node(item, &format!("{pointer}/{index}"));
                Value::Array(items.iter().enumerate().map(item).collect())
            }
            YamlData::Mapping(entries) => {
                let mut map = Map::new();
                // What the mapping says itself goes before what it takes over.
                for (key, value) in entries {
                    if key_text(key).as_deref() != Some(MERGE) {
                        self.own(key, value, pointer, &mut map);
                    }
                }
                for (key, value) in entries {
                    if key_text(key).as_deref() == Some(MERGE) {
                        self.merge(value, pointer, &mut map);
                    }
                }
                Value::Object(map)
            }
            YamlData::Tagged(_, inner) => self.node(inner, pointer),
            YamlData::Alias(_) | YamlData::BadValue => {
                let message = "this value cannot be read; expected plain YAML";
                self.problems.push(Problem::at(place, pointer, message));
                Value::Null
            }
        }
    }

    /// An entry that the mapping has itself. That one is there twice the loader tells, where both are
    /// written alike.
    fn own(
        &mut self,
        key: &MarkedYaml<'_>,
        value: &MarkedYaml<'_>,
        pointer: &str,
        map: &mut Map<String, Value>,
    ) {
        if let Some(name) = key_text(key).filter(|name| map.contains_key(name)) {
            let message = format!("`{name}` is there twice; expected each name once");
            self.problems.push(Problem::at(place_of(key), pointer, message));
        }
        self.entry(key, value, pointer, map);
    }

    fn entry(
        &mut self,
        key: &MarkedYaml<'_>,
        value: &MarkedYaml<'_>,
        pointer: &str,
        map: &mut Map<String, Value>,
    ) {
        let Some(name) = key_text(key) else {
            let message = "a key that is no text; expected a name";
            self.problems.push(Problem::at(place_of(key), pointer, message));
            return;
        };
        if map.contains_key(&name) {
            return;
        }
        let below = format!("{pointer}/{}", escaped(&name));
        self.document.places.insert(format!("{below}\0"), place_of(key));
        let value = self.node(value, &below);
        map.insert(name, value);
    }

    /// Takes over the entries of a mapping, or of several, where there are none yet.
    fn merge(&mut self, value: &MarkedYaml<'_>, pointer: &str, map: &mut Map<String, Value>) {
        match &value.data {
            YamlData::Mapping(entries) => {
                for (key, value) in entries {
                    if key_text(key).as_deref() == Some(MERGE) {
                        self.merge(value, pointer, map);
                    } else {
                        self.entry(key, value, pointer, map);
                    }
                }
            }
            YamlData::Sequence(items) => {
                items.iter().for_each(|item| self.merge(item, pointer, map));
            }
            _ => {
                let message =
                    "`<<` takes over mappings; expected an alias of one, as in `<<: *name`";
                self.problems.push(Problem::at(place_of(value), pointer, message));
            }
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        pointer: &str,
        place: Place,
    ) -> Value {
        match substitute(text, self.environment) {
            Ok(found) if found.changed => {
                let value = match resolved(&found.text, style, tag) {
                    // An empty variable is no wish to do without: a login or a limit would be gone.
                    Value::Null if !found.by_default => Value::String(found.text.clone()),
                    value => value,
                };
                self.document.texts.insert(pointer.to_owned(), found.text);
                value
            }
            Ok(_) => resolved(text, style, tag),
            Err(message) => {
                self.problems.push(Problem::at(place, pointer, message));
                Value::Null
            }
        }
    }

    /// Makes the change `key.path=value`; the value is YAML.
    fn set(&mut self, set: &str) -> Result<(), String> {
        let (path, text) = set.split_once('=').ok_or("expected KEY.PATH=VALUE")?;
        if path.split('.').count() > DEEPEST {
            return Err(too_deep());
        }
        let node = load(text).map_err(|problem| problem.message)?;
        let pointer: String = path.split('.').map(|key| format!("/{}", escaped(key))).collect();
        let mut at = &mut self.document.value;
        for key in path.split('.') {
            at = match at {
                Value::Object(map) => map.entry(key).or_insert_with(|| Value::Object(Map::new())),
                Value::Array(items) => {
                    let length = items.len();
                    let index = key.parse::<usize>().ok();
                    index.and_then(|index| items.get_mut(index)).ok_or_else(|| {
                        format!("`{key}` of `{path}`: expected a position from 0 below {length}")
                    })?
                }
                other => {
                    return Err(format!("`{key}` of `{path}` would lie inside of {other}"));
                }
            };
        }
        *at = Value::Null;
        // What variables stood for there counts no more.
        let below = format!("{pointer}/");
        self.document.texts.retain(|at, _| *at != pointer && !at.starts_with(&below));
        let value = self.node(&node, &pointer);
        self.document.replace(&pointer, value);
        let place = Place::Set(set.to_owned());
        let inside = format!("{pointer}/");
        for (other, at) in &mut self.document.places {
            if *other == pointer || other.starts_with(&inside) {
                *at = place.clone();
            }
        }
        self.document.places.insert(format!("{pointer}\0"), place);
        Ok(())
    }
}

fn place_of(node: &MarkedYaml<'_>) -> Place {
    Place::Line { line: node.span.start.line(), column: node.span.start.col() + 1 }
}

/// A key as JSON pointers write it.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The text of a key; numbers and the like are taken as they are written.
fn key_text(key: &MarkedYaml<'_>) -> Option<String> {
    match &key.data {
        YamlData::Representation(text, _, _) => Some(text.to_string()),
        YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
        _ => None,
    }
}

/// A scalar by YAML 1.2's core schema.
fn resolved(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let tag = tag.map(Cow::Borrowed);
    Scalar::parse_from_cow_and_metadata(text.into(), style, tag.as_ref())
        .map_or_else(|| Value::String(text.to_owned()), |scalar| plain(&scalar))
}

/// Below that a float holds each integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn plain(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Bool(*value),
        Scalar::Integer(value) => Value::Number((*value).into()),
        Scalar::FloatingPoint(value) => {
            let value = value.into_inner();
            // For a schema 1e2 is an integer: then it is one for everybody.
            if value.fract() == 0.0 && value.abs() < EXACT {
                return Value::Number((value as i64).into());
            }
            Number::from_f64(value).map_or(Value::Null, Value::Number)
        }
        Scalar::String(text) => Value::String(text.to_string()),
    }
}
