use fer_core::detect::{Detection, suppress};
use fer_core::geometry::Rect;
use proptest::prelude::*;

use crate::support::{any_detection, any_number, cases, face};

fn any_rect() -> impl Strategy<Value = Rect> {
    [any_number(), any_number(), any_number(), any_number()]
        .prop_map(|[x, y, w, h]| Rect::new(x, y, w, h))
}

/// Two boxes that have something in common more often than not.
fn neighbours() -> impl Strategy<Value = (Rect, Rect)> {
    let shift = -1.2..1.2_f32;
    (face(), shift.clone(), shift, 0.2..3.0_f32, 0.2..3.0_f32).prop_map(|(a, dx, dy, sx, sy)| {
        (a, Rect::new(a.x + dx * a.w, a.y + dy * a.h, a.w * sx, a.h * sy))
    })
}

fn close(a: f32, b: f32, tolerance: f32) -> bool {
    (a - b).abs() <= tolerance
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn overlap_is_symmetric_and_a_share(a in any_rect(), b in any_rect()) {
        let iou = a.iou(&b);
        prop_assert!((0.0..=1.0).contains(&iou), "{iou}");
        prop_assert_eq!(iou, b.iou(&a));
        prop_assert!(iou == 0.0 || (a.is_valid() && b.is_valid()));
    }

    #[test]
    fn overlap_is_the_common_part_of_both(pair in neighbours()) {
        let (a, b) = pair;
        let common = a.intersection(&b);
        prop_assert_eq!(common, b.intersection(&a));
        for whole in [a, b] {
            prop_assert!(common.w >= 0.0 && common.w <= whole.w);
            prop_assert!(common.h >= 0.0 && common.h <= whole.h);
            // One rounding of a number below 4,096.
            if common.area() > 0.0 {
                prop_assert!(common.x >= whole.x && common.right() <= whole.right() + 5e-4);
                prop_assert!(common.y >= whole.y && common.bottom() <= whole.bottom() + 5e-4);
            }
        }
        if common.w > 1e-2 && common.h > 1e-2 {
            let (x, y) = common.center();
            prop_assert!(a.contains(x, y) && b.contains(x, y));
        }
        let expected = common.area() / (a.area() + b.area() - common.area());
        prop_assert!(close(a.iou(&b), expected, 1e-6));
    }

    #[test]
    fn a_box_overlaps_itself_wholly(a in face()) {
        prop_assert!(close(a.iou(&a), 1.0, 1e-3), "{}", a.iou(&a));
        prop_assert!(close(a.iou(&a.squared()), a.w.min(a.h) / a.w.max(a.h), 1e-3));
    }

    #[test]
    fn a_box_grows_on_all_sides_alike(a in face(), margin in -0.4..3.0_f32) {
        let grown = a.expanded(margin);
        for (inner, outer) in [
            (a.x - grown.x, margin * a.w), (grown.right() - a.right(), margin * a.w),
            (a.y - grown.y, margin * a.h), (grown.bottom() - a.bottom(), margin * a.h),
        ] {
            prop_assert!(close(inner, outer, 5e-3), "{inner} {outer}");
        }
        // A margin of m is taken back by −m / (1 + 2m).
        let back = grown.expanded(-margin / (1.0 + 2.0 * margin));
        prop_assert!(back.iou(&a) > 0.999);
    }

    #[test]
    fn scaling_changes_no_overlap(
        pair in neighbours(), sx in 1e-3..10.0_f32, sy in 1e-3..10.0_f32, margin in -0.3..1.0_f32,
    ) {
        let (a, b) = pair;
        let (small, other) = (a.scaled(sx, sy), b.scaled(sx, sy));
        prop_assert!(close(small.iou(&other), a.iou(&b), 1e-3));
        prop_assert!(small.scaled(1.0 / sx, 1.0 / sy).iou(&a) > 0.999);
        prop_assert!(a.expanded(margin).scaled(sx, sy).iou(&small.expanded(margin)) > 0.999);
    }

    #[test]
    fn a_blend_lies_between(pair in neighbours(), t in 0.0..=1.0_f32) {
        let (a, b) = pair;
        prop_assert_eq!(a.lerp(&b, 0.0), a);
        let mixed = a.lerp(&b, t);
        for (from, to, between) in
            [(a.x, b.x, mixed.x), (a.y, b.y, mixed.y), (a.w, b.w, mixed.w), (a.h, b.h, mixed.h)]
        {
            let slack = 1e-3;
            prop_assert!((from.min(to) - slack..=from.max(to) + slack).contains(&between));
        }
    }

    #[test]
    fn what_is_suppressed_overlaps_something_better(
        faces in prop::collection::vec(any_detection(), 0..20), iou in 0.0..1.0_f32,
    ) {
        let mut kept = faces.clone();
        suppress(&mut kept, iou);
        prop_assert!(kept.is_sorted_by(|a, b| a.confidence.total_cmp(&b.confidence).is_ge()));
        for (index, one) in kept.iter().enumerate() {
            prop_assert!(kept[..index].iter().all(|other| other.rect.iou(&one.rect) <= iou));
        }
        let same = |a: &Detection, b: &Detection| format!("{a:?}") == format!("{b:?}");
        for face in &faces {
            let stays = kept.iter().any(|other| same(other, face));
            let better = |other: &Detection| {
                other.confidence.total_cmp(&face.confidence).is_ge()
                    && other.rect.iou(&face.rect) > iou
            };
            prop_assert!(stays || kept.iter().any(better));
        }
    }
}
