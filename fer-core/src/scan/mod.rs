//! Where and how often faces are looked for.

mod known;
mod schedule;

pub(crate) use self::known::{KnownFaces, Sizes, scan, scan_for_faint, scan_for_tilted};
pub(crate) use self::schedule::{Missed, ScanSchedule};

/// Where faces are looked for in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// In the whole frame, for faces of all sizes.
    Full,
    /// In the whole frame, for large faces only, which takes a quarter of the time.
    Large,
    /// Around the known faces.
    Local,
    /// Nowhere: known faces are carried on.
    None,
}
