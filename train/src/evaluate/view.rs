//! Which part of an image a network sees: the whole, or the views of test-time augmentation.

use std::fmt;

use clap::ValueEnum;
use fer_core::geometry::Rect;
use serde::{Deserialize, Serialize};

/// A ten-crop's crops lack this part of each side: one in twelve.
const CROPPED: f32 = 12.0;

/// What a network sees of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Framing {
    /// The part of the image, in its pixels; beyond the image the border is repeated.
    pub region: Rect,
    /// Whether the part is mirrored, left and right.
    pub mirrored: bool,
}

/// What the network sees, given an image's position and its whole area.
pub type View<'a> = &'a mut dyn FnMut(usize, &Rect) -> Framing;

/// The whole image as it is.
pub fn whole(_image: usize, whole: &Rect) -> Framing {
    Framing { region: *whole, mirrored: false }
}

/// Test-time augmentation: the mean of the probabilities over several views of an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Tta {
    /// One view: the image.
    #[default]
    None,
    /// Two views: the image and its mirror image.
    Flip,
    /// Ten views (Krizhevsky et al. 2012): the four corners and the centre, 11/12 of each side,
    /// each with its mirror image.
    TenCrop,
}

impl Tta {
    /// The views.
    pub fn views(self) -> Vec<Placement> {
        let whole = Placement { cropped: false, right: 0.0, down: 0.0, mirrored: false };
        let crop = |right, down| Placement { cropped: true, right, down, mirrored: false };
        let mut views = match self {
            Self::None => return vec![whole],
            Self::Flip => vec![whole],
            Self::TenCrop => {
                vec![crop(0.0, 0.0), crop(1.0, 0.0), crop(0.0, 1.0), crop(1.0, 1.0), crop(0.5, 0.5)]
            }
        };
        let mirrored: Vec<_> =
            views.iter().map(|view| Placement { mirrored: true, ..*view }).collect();
        views.extend(mirrored);
        views
    }

    /// The name on the command line and in file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Flip => "flip",
            Self::TenCrop => "ten-crop",
        }
    }
}

impl fmt::Display for Tta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Flip => "flip (mean over the image and its mirror image)",
            Self::TenCrop => "ten-crop (mean over corners and centre, each with its mirror image)",
        })
    }
}

/// Where one view lies in an area.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Whether it is a crop, or all of the area.
    cropped: bool,
    /// Position in what the crop leaves over, from 0 (left) to 1.
    right: f32,
    /// The same from 0 (top) to 1.
    down: f32,
    mirrored: bool,
}

impl Placement {
    /// The view of `area`.
    pub fn of(self, area: &Rect) -> Framing {
        let spare = |side: f32| if self.cropped { side / CROPPED } else { 0.0 };
        let (across, along) = (spare(area.w), spare(area.h));
        let region = Rect::new(
            area.x + across * self.right,
            area.y + along * self.down,
            area.w - across,
            area.h - along,
        );
        Framing { region, mirrored: self.mirrored }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_crops_by_hand() {
        let views = Tta::TenCrop.views();
        let framed: Vec<_> =
            views.iter().map(|view| view.of(&Rect::new(0.0, 0.0, 48.0, 24.0))).collect();
        // 44 × 22 of 48 × 24: 4 pixels are left over across, 2 down.
        let corners = [(0.0, 0.0), (4.0, 0.0), (0.0, 2.0), (4.0, 2.0), (2.0, 1.0)];
        for (index, framing) in framed.iter().enumerate() {
            let (x, y) = corners[index % 5];
            let region = Rect::new(x, y, 44.0, 22.0);
            assert_eq!(*framing, Framing { region, mirrored: index >= 5 });
        }
        assert_eq!(framed.len(), 10);
    }

    #[test]
    fn views_lie_in_the_area_that_is_given() {
        let area = Rect::new(10.0, 20.0, 12.0, 12.0);
        assert_eq!(Tta::None.views()[0].of(&area), whole(0, &area));
        let flip = Tta::Flip.views();
        assert_eq!(flip[1].of(&area), Framing { region: area, mirrored: true });
        let region = Tta::TenCrop.views()[3].of(&area).region;
        assert_eq!(region, Rect::new(11.0, 21.0, 11.0, 11.0));
    }
}
