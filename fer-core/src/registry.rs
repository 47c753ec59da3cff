//! What users swap, by name: trackers and smoothers here, detectors where they are built. There is one
//! kind of classifier, which its manifest describes.

use std::sync::Arc;

use crate::config::Config;
use crate::detect::BackendError;
use crate::smooth::{Ema, Hmm, NullSmoother, SmoothOptions, Smoother};
use crate::track::{IouTracker, NullTracker, Tracker};

/// Makes a `T` from options `O`.
pub type Factory<O, T> = Arc<dyn Fn(&O) -> Result<Box<T>, BackendError> + Send + Sync>;

/// Implementations of one trait, each under the name that users write.
pub struct Registry<O: ?Sized, T: ?Sized> {
    kind: &'static str,
    entries: Vec<(&'static str, Factory<O, T>)>,
}

impl<O: ?Sized, T: ?Sized> Clone for Registry<O, T> {
    fn clone(&self) -> Self {
        Self { kind: self.kind, entries: self.entries.clone() }
    }
}

impl<O: ?Sized, T: ?Sized> Registry<O, T> {
    /// An empty registry; `kind` is the option's name in errors, for instance `detector`.
    pub const fn new(kind: &'static str) -> Self {
        Self { kind, entries: Vec::new() }
    }

    /// Adds an implementation, in place of one of the same name.
    #[must_use]
    pub fn with(
        mut self,
        name: &'static str,
        factory: impl Fn(&O) -> Result<Box<T>, BackendError> + Send + Sync + 'static,
    ) -> Self {
        self.entries.retain(|(other, _)| *other != name);
        self.entries.push((name, Arc::new(factory)));
        self
    }

    /// The names, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.entries.iter().map(|(name, _)| *name)
    }

    /// Checks a name.
    ///
    /// # Errors
    /// Unknown; the message lists the known ones.
    pub fn factory(&self, name: &str) -> Result<Factory<O, T>, BackendError> {
        let entry = self.entries.iter().find(|(known, _)| *known == name);
        entry.map(|(_, factory)| Arc::clone(factory)).ok_or_else(|| BackendError::Option {
            option: self.kind,
            value: format!("{name:?}"),
            accepted: self.names().collect::<Vec<_>>().join(", "),
        })
    }

    /// Makes the implementation called `name`.
    ///
    /// # Errors
    /// The name is unknown, or the implementation refuses the options.
    pub fn build(&self, name: &str, options: &O) -> Result<Box<T>, BackendError> {
        self.factory(name)?(options)
    }
}

/// The built-in smoothers: `none`, `ema`, `hmm`.
pub fn smoothers() -> Registry<SmoothOptions, dyn Smoother> {
    Registry::new("smoothing")
        .with("none", |_: &SmoothOptions| Ok(Box::new(NullSmoother) as Box<dyn Smoother>))
        .with("ema", |options: &SmoothOptions| Ok(Box::new(Ema::new(options.time_constant))))
        .with("hmm", |options: &SmoothOptions| Ok(Box::new(Hmm::new(options))))
}

/// The built-in trackers: `none`, `iou`.
pub fn trackers() -> Registry<Config, dyn Tracker> {
    Registry::new("tracker")
        .with("none", |_: &Config| Ok(Box::new(NullTracker::default()) as Box<dyn Tracker>))
        .with("iou", |config: &Config| Ok(Box::new(IouTracker::new(config.track))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = smoothers().factory("median").err().unwrap().to_string();
        let names: Vec<_> = smoothers().names().collect();
        assert_eq!(error, format!("smoothing is \"median\", accepted: {}", names.join(", ")));
        assert!(trackers().build("iou", &Config::default()).is_ok());
    }

    #[test]
    fn a_later_entry_takes_the_place_of_an_earlier() {
        let registry = smoothers().with("ema", |_| Ok(Box::new(NullSmoother)));
        assert_eq!(registry.names().collect::<Vec<_>>(), ["none", "hmm", "ema"]);
    }
}
