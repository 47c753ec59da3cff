//! An output within a running pipeline: put in, taken out.

use gst::prelude::*;

use super::{GraphError, bring_down, element};

/// An output of a pipeline.
#[derive(Debug)]
pub struct Branch {
    /// Position in the file.
    pub index: usize,
    /// The key that the file names it by.
    pub kind: &'static str,
    bin: gst::Bin,
}

impl Branch {
    /// Adds an output to a pipeline, fed by `tee`.
    pub(super) fn attach(
        pipeline: &gst::Pipeline,
        tee: &gst::Element,
        bin: gst::Bin,
        index: usize,
        kind: &'static str,
    ) -> Result<Self, GraphError> {
        pipeline.add(&bin)?;
        let feed = tee.request_pad_simple("src_%u").ok_or_else(|| missing(tee))?;
        let sink = bin.static_pad("sink").ok_or_else(|| missing(bin.upcast_ref()))?;
        ignore_lateness(&sink);
        feed.link(&sink).map_err(|error| gst::glib::bool_error!("{error}"))?;
        Ok(Self { index, kind, bin })
    }

    /// Its elements.
    pub(super) fn bin(&self) -> &gst::Bin {
        &self.bin
    }

    /// Whether this output is that bin.
    pub(super) fn is(&self, bin: &gst::Bin) -> bool {
        self.bin == *bin
    }

    /// Whether a message's source is a part of this output.
    pub fn holds(&self, source: &gst::Object) -> bool {
        source == self.bin.upcast_ref::<gst::Object>() || source.has_as_ancestor(&self.bin)
    }

    /// Takes the output out of its running pipeline; the others do not notice. Whether it could be
    /// brought down.
    pub fn detach(self) -> bool {
        let Self { bin, .. } = self;
        for pad in bin.sink_pads() {
            let Some(feed) = pad.peer() else { continue };
            // The pad goes between two buffers: releasing it waits for the one that is on its way.
            // Unlinked already, should the pipeline be on its way down.
            let _ = feed.unlink(&pad);
            if let Some(tee) = feed.parent_element() {
                tee.release_request_pad(&feed);
            }
        }
        let is_down = bring_down(bin.upcast_ref());
        if let Some(pipeline) = bin.parent().and_then(|parent| parent.downcast::<gst::Bin>().ok()) {
            let _ = pipeline.remove(&bin);
        }
        is_down
    }
}

/// Keeps an output that is late from asking for fewer frames: the others would lack them too.
fn ignore_lateness(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, |_, info| {
        let is_lateness = info.event().is_some_and(|it| it.type_() == gst::EventType::Qos);
        if is_lateness { gst::PadProbeReturn::Handled } else { gst::PadProbeReturn::Ok }
    });
}

fn missing(element: &gst::Element) -> gst::glib::BoolError {
    gst::glib::bool_error!("`{}` has no pad to link", element.name())
}

/// A bin of elements in a row, entered through its pad `sink`.
///
/// None of its sinks is waited for: encoders keep their first frames for seconds, and sinks that
/// waited for each other's first one would block the tee for good.
pub(super) fn row(name: &str, elements: &[gst::Element]) -> Result<gst::Bin, GraphError> {
    let bin = gst::Bin::with_name(name);
    bin.add_many(elements)?;
    gst::Element::link_many(elements)?;
    let pad = elements.first().and_then(|first| first.static_pad("sink"));
    let pad = pad.ok_or_else(|| missing(bin.upcast_ref()))?;
    entry(&bin, &pad, "sink")?;
    for inner in bin.iterate_recurse().into_iter().flatten() {
        if inner.element_flags().contains(gst::ElementFlags::SINK) && inner.has_property("async") {
            inner.set_property("async", false);
        }
    }
    Ok(bin)
}

/// A pad called `name` through which an output is fed, leading to its element's pad `inside`.
pub(super) fn entry(bin: &gst::Bin, inside: &gst::Pad, name: &str) -> Result<gst::Pad, GraphError> {
    let pad = gst::GhostPad::builder_with_target(inside)?
        .name(name)
        .chain_function(|pad, parent, buffer| {
            alone(parent, gst::ProxyPad::chain_default(pad, parent, buffer))
        })
        .build();
    pad.set_active(true)?;
    bin.add_pad(&pad)?;
    Ok(pad.upcast())
}

/// Keeps an output's failure to itself: the bus hears of it, the tee and with it everybody else
/// does not.
fn alone(
    output: Option<&gst::Object>,
    result: Result<gst::FlowSuccess, gst::FlowError>,
) -> Result<gst::FlowSuccess, gst::FlowError> {
    let Err(error) = result else { return result };
    if matches!(error, gst::FlowError::Flushing | gst::FlowError::Eos) {
        return Err(error);
    }
    if let Some(output) = output.and_then(|output| output.downcast_ref::<gst::Element>()) {
        gst::element_error!(output, gst::StreamError::Failed, ("it takes no more: {error}"));
    }
    Ok(gst::FlowSuccess::Ok)
}

/// Frames that wait for an output of a live stream, at most: some seconds of them.
const BACKLOG: u32 = 100;
/// Whatever their number.
const BACKLOG_BYTES: u32 = 256_000_000;

/// The queue at the head of an output. Of a live stream it drops what the output has no time for,
/// so that nobody else waits. How far the frames are apart does not count there: after a gap of
/// seconds two of them are no backlog.
pub(super) fn queue(live: bool) -> Result<gst::Element, GraphError> {
    let queue = element("queue")?;
    queue.set_property("max-size-bytes", BACKLOG_BYTES);
    if live {
        queue.set_property_from_str("leaky", "downstream");
        queue.set_property("max-size-buffers", BACKLOG);
        queue.set_property("max-size-time", 0_u64);
    } else {
        queue.set_property("max-size-buffers", 0_u32);
        queue.set_property("max-size-time", 2_000_000_000_u64);
    }
    Ok(queue)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use gst::glib;
    use gst::subclass::prelude::*;

    use super::*;

    /// An element that, once it has been up, does not go down.
    #[derive(Default)]
    struct Stubborn;

    #[glib::object_subclass]
    impl ObjectSubclass for Stubborn {
        const NAME: &'static str = "FerTestStubborn";
        type Type = StubbornElement;
        type ParentType = gst::Element;
    }

    impl ObjectImpl for Stubborn {}
    impl GstObjectImpl for Stubborn {}
    impl ElementImpl for Stubborn {
        fn change_state(
            &self,
            transition: gst::StateChange,
        ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
            if transition == gst::StateChange::PausedToReady {
                return Err(gst::StateChangeError);
            }
            self.parent_change_state(transition)
        }
    }

    glib::wrapper! {
        struct StubbornElement(ObjectSubclass<Stubborn>) @extends gst::Element, gst::Object;
    }

    fn wait_for(what: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < Duration::from_secs(10), "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn an_output_that_does_not_go_down_is_kept_and_the_rest_goes_on() {
        gst::init().unwrap();
        let pipeline = gst::Pipeline::new();
        let source = element("videotestsrc").unwrap();
        let tee = element("tee").unwrap();
        let rest = gst_app::AppSink::builder().sync(false).max_buffers(1).drop(true).build();
        pipeline.add_many([&source, &tee, rest.upcast_ref()]).unwrap();
        gst::Element::link_many([&source, &tee, rest.upcast_ref()]).unwrap();
        let sink = element("fakesink").unwrap();
        let bin = row("output", &[element("queue").unwrap(), sink.clone()]).unwrap();
        let stubborn: gst::Element = glib::Object::new::<StubbornElement>().upcast();
        bin.add(&stubborn).unwrap();
        let branch = Branch::attach(&pipeline, &tee, bin, 0, "test").unwrap();
        let (kept, gone) = (stubborn.downgrade(), sink.downgrade());
        drop((stubborn, sink));
        pipeline.set_state(gst::State::Playing).unwrap();
        assert!(rest.pull_sample().is_ok());
        wait_for("it plays", || {
            kept.upgrade().is_some_and(|it| it.current_state() == gst::State::Playing)
        });

        assert!(!branch.detach());
        assert!(kept.upgrade().is_some() && gone.upgrade().is_some(), "dropped while it is up");
        for _ in 0..5 {
            assert!(rest.pull_sample().is_ok(), "the rest stands still");
        }
        pipeline.set_state(gst::State::Null).unwrap();
    }

    #[test]
    fn what_was_brought_down_is_not_brought_up_again_with_its_pipeline() {
        gst::init().unwrap();
        let pipeline = gst::Pipeline::new();
        let sink = element("fakesink").unwrap();
        sink.set_property("async", false);
        let bin = row("output", std::slice::from_ref(&sink)).unwrap();
        pipeline.add(&bin).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        assert!(bring_down(bin.upcast_ref()));
        for state in [gst::State::Paused, gst::State::Playing] {
            pipeline.set_state(state).unwrap();
            assert_eq!(sink.current_state(), gst::State::Null);
        }
        pipeline.set_state(gst::State::Null).unwrap();
    }

    /// The times, in seconds, of those of `seconds` that come out of a live stream's queue whose
    /// output was busy until all had come.
    fn kept(seconds: &[u64]) -> Vec<u64> {
        gst::init().unwrap();
        let pipeline = gst::Pipeline::new();
        let source = gst_app::AppSrc::builder().format(gst::Format::Time).build();
        let queue = queue(true).unwrap();
        let sink = gst_app::AppSink::builder().sync(false).build();
        pipeline.add_many([source.upcast_ref(), &queue, sink.upcast_ref()]).unwrap();
        gst::Element::link_many([source.upcast_ref(), &queue, sink.upcast_ref()]).unwrap();
        let out = queue.static_pad("src").unwrap();
        let busy = out
            .add_probe(gst::PadProbeType::BLOCK | gst::PadProbeType::BUFFER, |_, _| {
                gst::PadProbeReturn::Ok
            })
            .unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        for &second in seconds {
            let mut buffer = gst::Buffer::with_size(1).unwrap();
            buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_seconds(second));
            source.push_buffer(buffer).unwrap();
        }
        source.end_of_stream().unwrap();
        // All but the one that the output is at have come; the end has not, or it waits too.
        let waiting = |count: u32| queue.property::<u32>("current-level-buffers") + 1 >= count;
        let most = u32::try_from(seconds.len()).unwrap().min(BACKLOG);
        let start = std::time::Instant::now();
        while !waiting(most) && start.elapsed().as_secs() < 5 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        out.remove_probe(busy);
        let times = std::iter::from_fn(|| sink.pull_sample().ok())
            .map(|sample| sample.buffer().unwrap().pts().unwrap().seconds())
            .collect();
        pipeline.set_state(gst::State::Null).unwrap();
        times
    }

    #[test]
    fn a_gap_of_seconds_is_no_backlog() {
        assert_eq!(kept(&[0, 3, 6, 60]), [0, 3, 6, 60]);
    }

    #[test]
    fn of_more_frames_than_an_output_may_owe_the_newest_stay() {
        let kept = kept(&(0..150).collect::<Vec<_>>());
        assert!((BACKLOG as usize..=BACKLOG as usize + 2).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last(), Some(&149));
    }
}
