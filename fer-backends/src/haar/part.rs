//! A part of a frame that is searched, and where it lies in the shrunk picture.

use fer_core::frame::Frame;
use fer_core::geometry::Rect;
use opencv::core::{self, Mat, Rect as Area, Size};

/// A face may be cut off by so much of its size: what is at the frame's edge is repeated beyond it, as
/// cascades know whole faces only.
const CUT_OFF: f64 = 0.25;

/// An area of the frame, shrunk to `size`, and what is repeated around that.
pub(super) struct Part {
    area: Area,
    pub(super) size: Size,
    beyond: Beyond,
}

impl Part {
    pub(super) fn new(area: Area, size: Size, frame: &Frame<'_>, window: Size) -> Self {
        Self { area, size, beyond: Beyond::new(area, frame, window) }
    }

    /// The shrunk picture with the frame's edges repeated.
    pub(super) fn framed(&self, picture: &Mat, framed: &mut Mat) -> opencv::Result<()> {
        self.beyond.repeat(picture, framed)
    }

    /// A box of the framed picture, in the shrunk one.
    pub(super) const fn unframed(&self, found: Area) -> Area {
        Area { x: found.x - self.beyond.left, y: found.y - self.beyond.top, ..found }
    }

    /// A box of the shrunk picture, in pixels of the frame.
    pub(super) fn in_frame(&self, found: Area) -> Rect {
        let (sx, sy) = self.shrunk_by();
        let Area { x, y, width, height } = found;
        let rect = Rect::new(x as f32, y as f32, width as f32, height as f32).scaled(sx, sy);
        Rect { x: rect.x + self.area.x as f32, y: rect.y + self.area.y as f32, ..rect }
    }

    /// A place of the frame, in the shrunk picture.
    pub(super) fn in_picture(&self, place: &Rect) -> Area {
        let (sx, sy) = self.shrunk_by();
        let x = place.x - self.area.x as f32;
        let place =
            Rect { x, y: place.y - self.area.y as f32, ..*place }.scaled(1.0 / sx, 1.0 / sy);
        Area::new(place.x as i32, place.y as i32, place.w as i32, place.h as i32)
    }

    fn shrunk_by(&self) -> (f32, f32) {
        let Self { area, size, .. } = self;
        (area.width as f32 / size.width as f32, area.height as f32 / size.height as f32)
    }
}

/// Pixels of the shrunk picture beyond the frame.
struct Beyond {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

impl Beyond {
    /// Where an area touches the frame's edges.
    fn new(area: Area, frame: &Frame<'_>, window: Size) -> Self {
        let pixels = (CUT_OFF * f64::from(window.height)) as i32;
        let at = |is_edge: bool| if is_edge { pixels } else { 0 };
        Self {
            left: at(area.x == 0),
            right: at(area.x + area.width >= frame.width() as i32),
            top: at(area.y == 0),
            bottom: at(area.y + area.height >= frame.height() as i32),
        }
    }

    fn repeat(&self, picture: &Mat, framed: &mut Mat) -> opencv::Result<()> {
        let Self { left, right, top, bottom } = *self;
        let repeated = core::BORDER_REPLICATE;
        core::copy_make_border(
            picture,
            framed,
            top,
            bottom,
            left,
            right,
            repeated,
            Default::default(),
        )
    }
}

/// Where a known face is looked for: so much of its size around its place.
const MARGIN_NEAR: f32 = 0.5;

/// What is searched for a face that was at `place`; `None` if that is outside of the frame.
pub(super) fn around(place: &Rect, frame: &Frame<'_>) -> Option<Area> {
    let whole = Rect::new(0.0, 0.0, frame.width() as f32, frame.height() as f32);
    let inside = place.expanded(MARGIN_NEAR).intersection(&whole);
    // To whole pixels outwards: what touches an edge is to be seen to.
    let (x, y) = (inside.x as i32, inside.y as i32);
    let right = (inside.right().ceil() as i32).min(frame.width() as i32);
    let bottom = (inside.bottom().ceil() as i32).min(frame.height() as i32);
    let area = Area::new(x, y, right - x, bottom - y);
    (place.is_valid() && inside.is_valid() && area.width > 0 && area.height > 0).then_some(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_face_is_searched_up_to_the_edges_that_it_touches() {
        let pixels = [0; 200 * 100];
        let frame = Frame::grey(200, 100, &pixels).unwrap();
        // Half a size more on each side, to whole pixels, at most to the edge; and which edges are met.
        for (place, area, edges) in [
            ((60.0, 40.0, 20.0, 20.0), (50, 30, 40, 40), ""),
            ((60.5, 40.3, 20.2, 20.2), (50, 30, 41, 41), ""),
            ((9.7, 40.0, 20.0, 20.0), (0, 30, 40, 40), "left"),
            ((170.7, 40.0, 20.0, 20.0), (160, 30, 40, 40), "right"),
            ((60.0, 5.2, 20.6, 20.6), (49, 0, 42, 37), "top"),
            ((60.0, 73.5, 20.6, 20.6), (49, 63, 42, 37), "bottom"),
            ((150.4, 60.9, 60.1, 60.1), (120, 30, 80, 70), "right bottom"),
        ] {
            let found = around(&Rect::new(place.0, place.1, place.2, place.3), &frame).unwrap();
            assert_eq!((found.x, found.y, found.width, found.height), area, "{place:?}");
            let beyond = Beyond::new(found, &frame, Size::new(24, 24));
            let met = [
                ("left", beyond.left),
                ("right", beyond.right),
                ("top", beyond.top),
                ("bottom", beyond.bottom),
            ];
            let met = met.iter().filter(|(_, pixels)| *pixels == 6).map(|(edge, _)| *edge);
            assert_eq!(met.collect::<Vec<_>>().join(" "), edges, "{place:?}");
        }
        assert_eq!(around(&Rect::new(300.0, 40.0, 20.0, 20.0), &frame), None);
        assert_eq!(around(&Rect::new(f32::NAN, 40.0, 20.0, 20.0), &frame), None);
    }
}
