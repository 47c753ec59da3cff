//! Sessions that all streams of a process share.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use fer_core::detect::BackendError;
use fer_core::manifest::sha256_hex;
use ort::session::Session;

use crate::session::{Options, open};

/// Sessions of one model with the same options, as many as were ever needed at once, and no more
/// than the machine has processors. Whoever comes when all are at work waits for the first that is
/// free.
#[derive(Debug)]
pub(crate) struct Pool {
    model: Vec<u8>,
    origin: String,
    options: Options,
    most: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    free: Vec<Session>,
    opened: usize,
}

/// What a pool is known by: the model's SHA-256, and how it is run.
type Key = (String, Options);

/// The pools that somebody uses.
static POOLS: Mutex<Vec<(Key, Weak<Pool>)>> = Mutex::new(Vec::new());

/// Whoever panicked left nothing half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// The pool of `model`, with a session in it at least; `origin` names the file in errors.
    ///
    /// # Errors
    /// The session cannot be opened.
    pub(crate) fn of(
        model: &[u8],
        origin: &str,
        options: &Options,
    ) -> Result<Arc<Self>, BackendError> {
        let key = (sha256_hex(model), options.clone());
        let mut pools = lock(&POOLS);
        pools.retain(|(_, pool)| pool.strong_count() > 0);
        let known = pools.iter().find(|(other, _)| *other == key);
        if let Some(pool) = known.and_then(|(_, pool)| pool.upgrade()) {
            return Ok(pool);
        }
        let session = open(model, origin, options)?;
        let pool = Arc::new(Self {
            model: model.to_vec(),
            origin: origin.to_owned(),
            options: options.clone(),
            most: std::thread::available_parallelism().map_or(1, usize::from),
            state: Mutex::new(State { free: vec![session], opened: 1 }),
            returned: Condvar::new(),
        });
        pools.push((key, Arc::downgrade(&pool)));
        Ok(pool)
    }

    /// How the model is run.
    pub(crate) const fn options(&self) -> &Options {
        &self.options
    }

    /// Does some work with a session.
    ///
    /// # Errors
    /// One more is needed and cannot be opened.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Session) -> T) -> Result<T, BackendError> {
        let place = Place(self);
        let mut session = self.take()?;
        let result = work(&mut session);
        std::mem::forget(place);
        lock(&self.state).free.push(session);
        self.returned.notify_one();
        Ok(result)
    }

    /// A session that is free, or a new one; waits if there may be no more.
    fn take(&self) -> Result<Session, BackendError> {
        let mut state = lock(&self.state);
        loop {
            if let Some(session) = state.free.pop() {
                return Ok(session);
            }
            if state.opened < self.most {
                state.opened += 1;
                drop(state);
                return open(&self.model, &self.origin, &self.options);
            }
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The place of a session that did not come back: another may be opened for it.
struct Place<'a>(&'a Pool);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).opened -= 1;
        self.0.returned.notify_one();
    }
}
