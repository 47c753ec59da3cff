//! Where labels and charts go, so that they hide as little as possible.

use super::area::Area;
use super::aspect::Aspect;

/// What stands where in one frame.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    /// Where labels and charts may be.
    pub(crate) frame: Area,
    /// The faces' boxes.
    pub(crate) faces: Vec<Area>,
    /// Labels and charts that have their place already.
    pub(crate) taken: Vec<Area>,
}

/// A place, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    /// Which of the candidates it is.
    pub(crate) side: usize,
    pub(crate) area: Area,
    /// What it has in common with other faces, as shares of the smaller one.
    pub(crate) faces: f32,
    /// The same with labels and charts.
    pub(crate) texts: f32,
    /// Its share that hides the face it belongs to.
    pub(crate) own: f32,
}

/// An edge of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Edge {
    Left,
    Right,
    Top,
    Bottom,
}

impl Place {
    /// What it has in common with all that does not belong to its face.
    pub(crate) fn foreign(&self) -> f32 {
        self.faces + self.texts
    }
}

/// What hiding all of another face costs, or of a label: a word without its end is lost.
const FACE: f32 = 2.0;
const TEXT: f32 = 8.0;
/// What a candidate costs for each one liked better than it; hiding all of the own face costs 1.
const STEP: f32 = 0.04;
/// What staying where it was is worth: without it, charts jump as faces move.
const STAY: f32 = 0.15;

impl Scene {
    /// The best of `candidates`, which come in order of liking, after each was moved into the
    /// frame, for face number `own`, of which `keep_clear` should stay visible; `before` is the
    /// side taken in the last frame. `None` when none fits the frame.
    pub(crate) fn best(
        &self,
        candidates: &[Area],
        own: usize,
        keep_clear: &Area,
        before: Option<usize>,
    ) -> Option<Place> {
        let mut best: Option<(f32, Place)> = None;
        for (side, candidate) in candidates.iter().enumerate() {
            if candidate.w > self.frame.w || candidate.h > self.frame.h {
                continue;
            }
            let place = self.place(side, candidate.moved_into(&self.frame), own, keep_clear);
            let stay = if before == Some(side) { STAY } else { 0.0 };
            let hidden = FACE * place.faces + TEXT * place.texts + place.own;
            let cost = hidden + STEP * side as f32 - stay;
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, place));
            }
        }
        best.map(|(_, place)| place)
    }

    fn place(&self, side: usize, area: Area, own: usize, keep_clear: &Area) -> Place {
        let common = |other: &Area| area.intersection(other).size() as f32;
        // A small face may lie wholly under a large chart: the share of the smaller one counts.
        let share = |other: &Area| common(other) / area.size().min(other.size()) as f32;
        let others = self.faces.iter().enumerate().filter(|(index, _)| *index != own);
        Place {
            side,
            area,
            faces: others.map(|(_, face)| share(face)).sum(),
            texts: self.taken.iter().map(share).sum(),
            own: common(keep_clear) / area.size() as f32,
        }
    }
}

/// Between a face and what stands around it: columns and rows that are shown equally wide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gap {
    across: i32,
    down: i32,
}

impl Gap {
    pub(crate) fn new(units: i32, aspect: Aspect) -> Self {
        Self { across: aspect.columns(units), down: units }
    }
}

/// Places for a label of `w` × `h`: above and below, each flush left and flush right, then
/// right and left of the face's top, where charts like to be.
pub(crate) fn around_for_label(face: &Area, w: i32, h: i32, gap: Gap) -> [Area; 6] {
    let (above, below) = (face.y - gap.down - h, face.bottom() + gap.down);
    let flush_right = face.right() - w;
    [
        Area::new(face.x, above, w, h),
        Area::new(flush_right, above, w, h),
        Area::new(face.x, below, w, h),
        Area::new(flush_right, below, w, h),
        Area::new(face.right() + gap.across, face.y, w, h),
        Area::new(face.x - gap.across - w, face.y, w, h),
    ]
}

/// For each place of [`around_for_chart`], the edge that faces the face.
pub(crate) const FACING: [Edge; 4] = [Edge::Left, Edge::Right, Edge::Top, Edge::Bottom];

/// Places for a chart of `w` × `h`: right, left, below, above.
pub(crate) fn around_for_chart(face: &Area, w: i32, h: i32, gap: Gap) -> [Area; 4] {
    [
        Area::new(face.right() + gap.across, face.y, w, h),
        Area::new(face.x - gap.across - w, face.y, w, h),
        Area::new(face.x, face.bottom() + gap.down, w, h),
        Area::new(face.x, face.y - gap.down - h, w, h),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Gap = Gap { across: 2, down: 2 };

    fn scene(faces: &[Area]) -> Scene {
        Scene { frame: Area::new(0, 0, 200, 100), faces: faces.to_vec(), taken: Vec::new() }
    }

    #[test]
    fn a_chart_stands_right_of_a_free_face() {
        let face = Area::new(50, 20, 40, 40);
        let places = around_for_chart(&face, 30, 40, GAP);
        let place = scene(&[face]).best(&places, 0, &face, None).unwrap();
        assert_eq!((place.side, place.area), (0, Area::new(92, 20, 30, 40)));
        assert_eq!((place.foreign(), place.own), (0.0, 0.0));
    }

    #[test]
    fn it_avoids_a_neighbour_and_the_frames_edge() {
        let (face, neighbour) = (Area::new(50, 20, 40, 40), Area::new(95, 20, 40, 40));
        let places = around_for_chart(&face, 30, 40, GAP);
        assert_eq!(scene(&[face, neighbour]).best(&places, 0, &face, None).unwrap().side, 1);
        let face = Area::new(160, 20, 40, 40);
        let places = around_for_chart(&face, 30, 40, GAP);
        assert_eq!(scene(&[face]).best(&places, 0, &face, None).unwrap().side, 1);
    }

    #[test]
    fn it_stays_where_it_was_while_that_is_no_worse() {
        let face = Area::new(80, 20, 40, 40);
        let places = around_for_chart(&face, 30, 40, GAP);
        assert_eq!(scene(&[face]).best(&places, 0, &face, Some(1)).unwrap().side, 1);
    }

    #[test]
    fn a_label_at_the_top_edge_goes_below() {
        let face = Area::new(20, 2, 40, 40);
        let places = around_for_label(&face, 60, 15, GAP);
        let place = scene(&[face]).best(&places, 0, &face, None).unwrap();
        assert_eq!(place.area, Area::new(20, 44, 60, 15));
        assert!(scene(&[face]).best(&[Area::new(0, 0, 201, 5)], 0, &face, None).is_none());
    }

    #[test]
    fn a_label_covers_no_other_while_there_is_room() {
        let face = Area::new(80, 40, 40, 20);
        let places = around_for_label(&face, 60, 15, GAP);
        let right = [Area::new(125, 23, 60, 15), Area::new(125, 62, 60, 15)];
        let left = [Area::new(15, 23, 60, 15), Area::new(15, 62, 60, 15)];
        for (taken, side, area) in [
            (vec![right[0]], 1, Area::new(60, 23, 60, 15)),
            (vec![left[0]], 0, Area::new(80, 23, 60, 15)),
            (vec![right[0], left[0]], 2, Area::new(80, 62, 60, 15)),
            (vec![right[0], left[0], right[1]], 3, Area::new(60, 62, 60, 15)),
            ([right, left].concat(), 4, Area::new(122, 40, 60, 15)),
        ] {
            let scene = Scene { taken, ..scene(&[face]) };
            let place = scene.best(&places, 0, &face, None).unwrap();
            assert_eq!((place.side, place.area, place.foreign()), (side, area, 0.0));
        }
    }

    #[test]
    fn a_label_leaves_its_place_before_it_hides_a_letter() {
        let (face, neighbour) = (Area::new(558, 331, 27, 30), Area::new(573, 340, 36, 36));
        let places = around_for_label(&face, 98, 14, Gap { across: 3, down: 3 });
        let side = |label_x, before| {
            let taken = vec![Area::new(label_x, 322, 95, 15)];
            let frame = Area::new(0, 0, 960, 540);
            let scene = Scene { frame, faces: vec![face, neighbour], taken };
            scene.best(&places, 0, &face, Some(before)).unwrap().side
        };
        // Flush right it is 487..585 × 314..328: of its 1372 pixels 72 are the neighbour's, .052,
        // which costs .42 + .04 - .15; left of the face, where nothing is, costs .20.
        assert_eq!(side(573, 1), 5);
        // 18 pixels, .013: .10 + .04 - .15, or .20 - .15 for who is there already.
        assert_eq!((side(582, 1), side(582, 5)), (1, 5));
    }

    #[test]
    fn a_label_stays_flush_right_when_its_neighbour_has_gone() {
        let face = Area::new(80, 40, 40, 20);
        let places = around_for_label(&face, 60, 15, GAP);
        assert_eq!(scene(&[face]).best(&places, 0, &face, Some(1)).unwrap().side, 1);
        assert_eq!(scene(&[face]).best(&places, 0, &face, Some(3)).unwrap().side, 3);
    }
}
