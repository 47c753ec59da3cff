//! Whether frames come the way up in which they are shown.

use crate::chain;

/// What is wrong with frames whose tags say that they are stored turned, if anything is.
pub(super) fn problem(sink: &gst::Pad, tags: &gst::TagListRef) -> Option<String> {
    let orientation = tags.get::<gst::tags::ImageOrientation>()?;
    let is_turned = orientation.get() != "rotate-0" && !is_turned_back(sink);
    is_turned.then(|| {
        format!(
            "the frames are stored turned ({}): put `videoflip video-direction=auto` before \
             ferdetect, or few faces are found",
            orientation.get()
        )
    })
}

/// Whether what turns frames stands before a pad: GStreamer 1.22's `videoflip` leaves the tag in that
/// it has obeyed.
fn is_turned_back(sink: &gst::Pad) -> bool {
    chain::before(sink).any(|element| turns(&element))
}

/// Whether an element turns frames, and does not only mirror them.
fn turns(element: &gst::Element) -> bool {
    let direction = chain::direction(element);
    direction.is_some_and(|it| !matches!(it.as_str(), "identity" | "horiz" | "vert"))
}

#[cfg(test)]
mod tests {
    use gst::prelude::*;

    use super::*;

    fn is_turned_back_by(line: &str) -> bool {
        gst::init().unwrap();
        let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
        is_turned_back(&pipeline.by_name("last").unwrap().static_pad("sink").unwrap())
    }

    #[test]
    fn a_videoflip_is_found_in_bins_as_well() {
        let flip = "videoflip video-direction=auto";
        for line in [
            format!("fakesrc ! {flip} ! identity ! fakesink name=last"),
            format!("fakesrc ! bin.( identity ! {flip} ! identity ) ! queue ! fakesink name=last"),
            format!("fakesrc ! {flip} ! bin.( identity ! fakesink name=last )"),
        ] {
            assert!(is_turned_back_by(&line), "{line}");
        }
        for line in [
            &format!("fakesrc ! identity name=last ! {flip} ! fakesink"),
            "fakesrc ! videoflip ! fakesink name=last",
            "fakesrc ! videoflip video-direction=horiz ! fakesink name=last",
        ] {
            assert!(!is_turned_back_by(line), "{line}");
        }
    }

    /// As `vapostproc`, which not every machine has.
    #[test]
    fn what_turns_frames_is_known_by_what_it_can_do() {
        gst::init().unwrap();
        let flip = gst::ElementFactory::find("videoflip").unwrap().load().unwrap().element_type();
        gst::Element::register(None, "otherpostproc", gst::Rank::NONE, flip).unwrap();
        for (direction, turns) in [("90r", true), ("auto", true), ("identity", false)] {
            let line = format!("fakesrc ! otherpostproc video-direction={direction} name=it");
            let line = format!("{line} ! fakesink name=last");
            assert_eq!(is_turned_back_by(&line), turns, "{line}");
        }
    }
}
