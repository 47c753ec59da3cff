//! Which cascades look at a picture, and what they find together.

use std::path::Path;
use std::str::FromStr;

use fer_core::detect::BackendError;
use opencv::core::{self, Mat, Rect as Area, Size, Vector};
use opencv::objdetect::{CascadeClassifier, group_rectangles_weights};
use opencv::prelude::*;

use super::{cascade, opencv_failed};

/// Sides of the boxes of one face differ by no more than this fraction, as in OpenCV.
const ALIKE: f64 = 0.2;
/// Beside the frontal cascade, in the same folder: files, and whether they look at the mirror image.
/// Faces from the side are known from one side only.
const FURTHER: [(&str, bool); 3] = [
    ("haarcascade_frontalface_alt2.xml", false),
    ("haarcascade_profileface.xml", false),
    ("haarcascade_profileface.xml", true),
];

/// Which cascades look for faces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// The frontal cascade.
    #[default]
    Fast,
    /// A second frontal cascade, and one of faces from the side, in both directions, as well: for
    /// recordings and pictures. Takes five times as long.
    Thorough,
}

impl Profile {
    /// Every profile, the default first.
    pub const ALL: [Self; 2] = [Self::Fast, Self::Thorough];

    /// Its name, as options have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Thorough => "thorough",
        }
    }
}

impl FromStr for Profile {
    type Err = BackendError;

    fn from_str(name: &str) -> Result<Self, BackendError> {
        let known = Self::ALL.into_iter().find(|profile| profile.name() == name);
        known.ok_or_else(|| BackendError::Option {
            option: "detector-profile",
            value: format!("{name:?}"),
            accepted: Self::ALL.map(Self::name).join(", "),
        })
    }
}

/// How a picture is scanned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    /// From one size to the next.
    pub(super) scale_factor: f64,
    /// The largest face wanted, in pixels of the picture; zero is any.
    pub(super) largest: Size,
    /// Overlapping hits beyond the first that make a face; 0 gives every hit.
    pub(super) neighbors: u32,
}

/// The cascades of a profile, the frontal one first.
#[derive(Debug)]
pub(super) struct Passes {
    passes: Vec<Pass>,
    /// The smallest face that the first cascade can see; the others see smaller ones.
    window: Size,
    mirrored: Mat,
}

#[derive(Debug)]
struct Pass {
    cascade: CascadeClassifier,
    mirrored: bool,
}

impl Passes {
    /// Loads the frontal cascade, `given` or the one that is installed, and what else the profile
    /// has from the same folder.
    pub(super) fn load(profile: Profile, given: Option<&Path>) -> Result<Self, BackendError> {
        let path = cascade::find(given)?;
        let frontal = cascade::load(&path)?;
        let window = frontal.get_original_window_size().map_err(opencv_failed)?;
        let mut passes = vec![Pass { cascade: frontal, mirrored: false }];
        if profile == Profile::Thorough {
            for (name, mirrored) in FURTHER {
                let cascade = cascade::load(&path.with_file_name(name))?;
                passes.push(Pass { cascade, mirrored });
            }
        }
        Ok(Self { passes, window, mirrored: Mat::default() })
    }

    pub(super) const fn window(&self) -> Size {
        self.window
    }

    /// Scans a picture for faces of at least the window's size: boxes in its pixels, and how many
    /// hits made each, in a fixed order.
    pub(super) fn scan(&mut self, picture: &Mat, scan: &Scan) -> opencv::Result<Vec<(Area, i32)>> {
        let window = self.window;
        let (boxes, hits) = match &mut self.passes[..] {
            [only] => only.hits(picture, scan, window)?,
            _ => self.scan_together(picture, scan)?,
        };
        let mut found: Vec<_> = boxes.iter().zip(hits.iter()).collect();
        // OpenCV's threads finish in any order.
        found.sort_by_key(|(b, hits)| (b.y, b.x, b.height, b.width, *hits));
        Ok(found)
    }

    /// Groups the hits of all cascades as if they were one's.
    fn scan_together(&mut self, picture: &Mat, scan: &Scan) -> opencv::Result<Hits> {
        core::flip(picture, &mut self.mirrored, 1)?;
        let every = Scan { neighbors: 0, ..*scan };
        let mut all = Vec::new();
        for pass in &mut self.passes {
            let seen = if pass.mirrored { &self.mirrored } else { picture };
            let (boxes, _) = pass.hits(seen, &every, self.window)?;
            let there = |b: Area| match pass.mirrored {
                true => Area { x: picture.cols() - b.x - b.width, ..b },
                false => b,
            };
            all.extend(boxes.iter().map(there));
        }
        // Grouping depends on the order, and OpenCV's threads finish in any.
        all.sort_by_key(|b| (b.y, b.x, b.height, b.width));
        let mut hits = std::iter::repeat_n(1, all.len()).collect();
        let mut boxes = all.into();
        if scan.neighbors > 0 {
            group_rectangles_weights(&mut boxes, &mut hits, scan.neighbors as i32, ALIKE)?;
        }
        Ok((boxes, hits))
    }
}

/// Boxes, and how many hits made each.
type Hits = (Vector<Area>, Vector<i32>);

impl Pass {
    fn hits(&mut self, picture: &Mat, scan: &Scan, smallest: Size) -> opencv::Result<Hits> {
        let (mut boxes, mut hits) = (Vector::new(), Vector::new());
        let Scan { scale_factor, largest, neighbors } = *scan;
        self.cascade.detect_multi_scale2(
            picture,
            &mut boxes,
            &mut hits,
            scale_factor,
            neighbors as i32,
            0,
            smallest,
            largest,
        )?;
        Ok((boxes, hits))
    }
}
