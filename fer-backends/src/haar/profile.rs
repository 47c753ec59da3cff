//! Which cascades look at a picture, and what they find together.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use fer_core::detect::BackendError;
use opencv::core::{self, Mat, Rect as Area, Size, Vector};
use opencv::objdetect::{CascadeClassifier, group_rectangles_weights};
use opencv::prelude::*;

use super::{cascade, failed};

/// Sides of the boxes of one face differ by no more than this fraction, as in OpenCV.
const ALIKE: f64 = 0.2;
/// Beside the frontal cascade, in the same folder: files, and whether they look at the mirror image
/// as well because they know one side only.
const FURTHER: [(&str, bool); 2] =
    [("haarcascade_frontalface_alt2.xml", false), ("haarcascade_profileface.xml", true)];

/// Which cascades look for faces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// The frontal cascade.
    #[default]
    Fast,
    /// A second frontal cascade, and one of faces from the side, in both directions, as well: for
    /// recordings and pictures. Takes four times as long.
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

/// The cascades of a profile.
#[derive(Debug)]
pub(super) struct Passes {
    first: CascadeClassifier,
    further: Vec<Pass>,
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
        let first = cascade::load(&path)?;
        let window = first.get_original_window_size().map_err(failed)?;
        let mut further = Vec::new();
        if profile == Profile::Thorough {
            for (name, mirrored) in FURTHER {
                let path: PathBuf = path.with_file_name(name);
                further.push(Pass { cascade: cascade::load(&path)?, mirrored: false });
                if mirrored {
                    further.push(Pass { cascade: cascade::load(&path)?, mirrored: true });
                }
            }
        }
        Ok(Self { first, further, window, mirrored: Mat::default() })
    }

    pub(super) const fn window(&self) -> Size {
        self.window
    }

    /// Scans a picture for faces from the window's size up to `largest`: boxes in its pixels, and
    /// how many hits made each, in a fixed order.
    pub(super) fn scan(
        &mut self,
        picture: &Mat,
        scale_factor: f64,
        largest: Size,
        neighbors: u32,
    ) -> opencv::Result<Vec<(Area, i32)>> {
        let (mut boxes, mut hits) = (Vector::new(), Vector::new());
        let sizes = (self.window, largest);
        if self.further.is_empty() {
            let neighbors = neighbors as i32;
            hits_of(
                &mut self.first,
                picture,
                scale_factor,
                sizes,
                neighbors,
                &mut boxes,
                &mut hits,
            )?;
        } else {
            self.scan_all(picture, scale_factor, sizes, &mut boxes)?;
            hits = std::iter::repeat_n(1, boxes.len()).collect();
            if neighbors > 0 {
                group_rectangles_weights(&mut boxes, &mut hits, neighbors as i32, ALIKE)?;
            }
        }
        let mut found: Vec<_> = boxes.iter().zip(hits.iter()).collect();
        // OpenCV's threads finish in any order.
        found.sort_by_key(|(b, hits)| (b.y, b.x, b.height, b.width, *hits));
        Ok(found)
    }

    /// Every hit of every cascade.
    fn scan_all(
        &mut self,
        picture: &Mat,
        scale_factor: f64,
        sizes: (Size, Size),
        all: &mut Vector<Area>,
    ) -> opencv::Result<()> {
        let mut hits = Vector::new();
        hits_of(&mut self.first, picture, scale_factor, sizes, 0, all, &mut hits)?;
        core::flip(picture, &mut self.mirrored, 1)?;
        let mut boxes = Vector::new();
        for pass in &mut self.further {
            let seen = if pass.mirrored { &self.mirrored } else { picture };
            hits_of(&mut pass.cascade, seen, scale_factor, sizes, 0, &mut boxes, &mut hits)?;
            for mut b in &boxes {
                if pass.mirrored {
                    b.x = picture.cols() - b.x - b.width;
                }
                all.push(b);
            }
        }
        // Grouping depends on the order, and OpenCV's threads finish in any.
        let mut sorted = all.to_vec();
        sorted.sort_by_key(|b| (b.y, b.x, b.height, b.width));
        *all = sorted.into();
        Ok(())
    }
}

fn hits_of(
    cascade: &mut CascadeClassifier,
    picture: &Mat,
    scale_factor: f64,
    (smallest, largest): (Size, Size),
    neighbors: i32,
    boxes: &mut Vector<Area>,
    hits: &mut Vector<i32>,
) -> opencv::Result<()> {
    cascade.detect_multi_scale2(picture, boxes, hits, scale_factor, neighbors, 0, smallest, largest)
}
