//! What stands before a pad, and what it does to the place of things in frames.

use gst::glib;
use gst::prelude::*;

use crate::ferdetect::FerDetect;

/// Elements that are looked at; a chain is shorter.
const MOST: usize = 64;
/// What `videoflip` and the converters of graphics cards, such as `vapostproc`, implement.
const DIRECTION: &str = "GstVideoDirection";

/// The elements before a pad, the nearest first; of those with several inputs the way of the first.
pub(crate) fn before(sink: &gst::Pad) -> impl Iterator<Item = gst::Element> {
    let mut pad = Some(sink.clone());
    let elements = std::iter::from_fn(move || {
        let element = feeding(pad.as_ref()?)?;
        pad = element.sink_pads().into_iter().next();
        Some(element)
    });
    elements.take(MOST)
}

/// The element that feeds a pad, through the walls of bins.
fn feeding(sink: &gst::Pad) -> Option<gst::Element> {
    let mut source = sink.peer()?;
    loop {
        if let Some(ghost) = source.downcast_ref::<gst::GhostPad>() {
            source = ghost.target()?;
        } else if let Some(ghost) = source.parent().and_downcast::<gst::GhostPad>() {
            source = ghost.peer()?;
        } else {
            return source.parent_element();
        }
    }
}

/// How an element turns or mirrors frames, by the nick of the property's value; `None` if it cannot.
pub(crate) fn direction(element: &gst::Element) -> Option<String> {
    let can = element.type_().interfaces().iter().any(|kind| kind.name() == DIRECTION);
    let is_there = can && element.has_property("video-direction");
    let direction = is_there.then(|| element.property_value("video-direction"))?;
    glib::EnumValue::from_value(&direction).map(|(_, value)| value.nick().to_owned())
}

/// Whether faces are elsewhere at a pad than where `ferdetect` saw them, though the frame may have kept its
/// shape: it was mirrored, turned or cropped on the way, and the report was not.
pub(crate) fn is_moved(sink: &gst::Pad) -> bool {
    let is_after = |element: &gst::Element| element.type_() != FerDetect::static_type();
    before(sink).take_while(is_after).any(|element| match direction(&element).as_deref() {
        Some("auto") => is_told_to_turn(&element),
        Some(direction) => direction != "identity",
        None => crops(&element),
    })
}

/// Whether tags say how frames are to be turned.
fn is_told_to_turn(element: &gst::Element) -> bool {
    let Some(sink) = element.static_pad("sink") else { return false };
    let tags = (0..).map_while(|index| sink.sticky_event::<gst::event::Tag>(index));
    let orientations = tags.filter_map(|event| {
        let orientation = event.tag().get::<gst::tags::ImageOrientation>()?;
        Some(orientation.get() != "rotate-0")
    });
    orientations.last().unwrap_or(false)
}

/// Whether an element cuts something off, or adds borders.
fn crops(element: &gst::Element) -> bool {
    let is_crop = element
        .factory()
        .is_some_and(|factory| ["videocrop", "videobox"].contains(&factory.name().as_str()));
    let is_cut = |name: &&str| {
        element.has_property(name)
            && element.property_value(name).get::<i32>().is_ok_and(|it| it != 0)
    };
    is_crop && ["left", "right", "top", "bottom"].iter().any(is_cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_moved_by(line: &str) -> bool {
        gst::init().unwrap();
        let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
        is_moved(&pipeline.by_name("last").unwrap().static_pad("sink").unwrap())
    }

    #[test]
    fn what_moves_faces_is_known_and_what_stands_before_the_analysis_does_not_count() {
        gst::init().unwrap();
        // Has no name that a line could find it by unless it is registered.
        gst::Element::register(None, "ferdetect", gst::Rank::NONE, FerDetect::static_type())
            .unwrap();
        for (between, moved) in [
            ("identity", false),
            ("videoflip", false),
            ("videoflip video-direction=horiz", true),
            ("bin.( queue ! videoflip video-direction=180 )", true),
            ("videoflip video-direction=auto", false),
            ("videocrop", false),
            ("videocrop top=2", true),
            ("videobox left=-4", true),
            ("videoscale", false),
        ] {
            let line = format!("fakesrc ! ferdetect ! {between} ! fakesink name=last");
            assert_eq!(is_moved_by(&line), moved, "{line}");
            let line = format!("fakesrc ! {between} ! ferdetect ! fakesink name=last");
            assert!(!is_moved_by(&line), "{line}");
        }
    }

    #[test]
    fn what_turns_by_itself_moves_faces_where_tags_tell_it_to() {
        gst::init().unwrap();
        let flip = gst::ElementFactory::make("videoflip").build().unwrap();
        flip.set_property_from_str("video-direction", "auto");
        let sink = flip.static_pad("sink").unwrap();
        sink.set_active(true).unwrap();
        sink.store_sticky_event(&gst::event::StreamStart::new("s")).unwrap();
        for (orientation, turns) in [("rotate-0", false), ("rotate-180", true)] {
            let mut tags = gst::TagList::new();
            let writable = tags.get_mut().unwrap();
            let mode = gst::TagMergeMode::Replace;
            writable.add::<gst::tags::ImageOrientation>(&orientation, mode);
            sink.store_sticky_event(&gst::event::Tag::new(tags)).unwrap();
            assert_eq!(is_told_to_turn(&flip), turns, "{orientation}");
        }
    }
}
