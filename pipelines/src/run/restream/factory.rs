//! A factory of GStreamer's RTSP server whose media a closure makes.

use std::sync::OnceLock;

use gst::glib;
use gst_rtsp_server::gst_rtsp::RTSPUrl;
use gst_rtsp_server::subclass::prelude::*;

/// Makes the elements that are watched, with a payloader `pay0` among them.
pub(super) type Maker = Box<dyn Fn() -> Option<gst::Element> + Send + Sync>;

mod imp {
    use super::*;

    #[derive(Default)]
    pub(in super::super) struct Factory {
        pub(super) maker: OnceLock<Maker>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Factory {
        const NAME: &'static str = "FerRestreamFactory";
        type Type = super::Factory;
        type ParentType = gst_rtsp_server::RTSPMediaFactory;
    }

    impl ObjectImpl for Factory {}

    impl RTSPMediaFactoryImpl for Factory {
        fn create_element(&self, _: &RTSPUrl) -> Option<gst::Element> {
            self.maker.get().and_then(|make| make())
        }
    }
}

glib::wrapper! {
    /// The factory.
    pub(super) struct Factory(ObjectSubclass<imp::Factory>)
        @extends gst_rtsp_server::RTSPMediaFactory;
}

impl Factory {
    /// All viewers share what `maker` makes, until the last one leaves.
    pub(super) fn new(maker: Maker) -> Self {
        use gst_rtsp_server::prelude::*;

        let factory: Self = glib::Object::new();
        factory.set_shared(true);
        // The factory is new: nothing is set yet.
        let _ = factory.imp().maker.set(maker);
        factory
    }
}
