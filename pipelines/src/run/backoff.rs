//! How long to wait before a lost source is tried again.

use std::time::Duration;

use crate::config::Reconnect;

/// Pauses that double up to a limit, and begin anew after a success.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(reconnect: Reconnect) -> Self {
        let first = Duration::from_millis(u64::from(reconnect.after));
        let most = Duration::from_millis(u64::from(reconnect.at_most)).max(first);
        Self { first, most, next: first }
    }

    /// The next pause.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.most);
        pause
    }

    /// The source was reached.
    pub(super) fn succeeded(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit_and_begin_anew() {
        let mut backoff = Backoff::new(Reconnect { timeout: None, after: 500, at_most: 3000 });
        let pauses: Vec<u128> = (0..5).map(|_| backoff.pause().as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 3000, 3000]);
        backoff.succeeded();
        assert_eq!(backoff.pause().as_millis(), 500);
    }
}
