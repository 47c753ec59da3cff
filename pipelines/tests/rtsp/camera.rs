//! RTSP servers on loopback.

use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPAuth, RTSPMediaFactory, RTSPServer, RTSPToken};

/// A camera: an RTSP server in a thread of its own, gone when it is dropped.
pub(crate) struct Camera {
    factory: RTSPMediaFactory,
    context: gst::glib::MainContext,
    main: gst::glib::MainLoop,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Camera {
    /// Serves `launch` at `rtsp://127.0.0.1:PORT/cam`, to `login` alone if there is one.
    pub(crate) fn start(port: u16, launch: &str, login: Option<(&str, &str)>) -> Self {
        gst::init().unwrap();
        let context = gst::glib::MainContext::new();
        let main = gst::glib::MainLoop::new(Some(&context), false);
        let server = RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service(&port.to_string());
        let factory = RTSPMediaFactory::new();
        factory.set_launch(launch);
        factory.set_shared(true);
        if let Some((user, password)) = login {
            let auth = RTSPAuth::new();
            let role = gst_rtsp_server::RTSP_TOKEN_MEDIA_FACTORY_ROLE;
            let token = RTSPToken::builder().field(role, "viewer").build();
            auth.add_basic(&RTSPAuth::make_basic(user, password), &token);
            server.set_auth(Some(&auth));
            let permissions = gst::Structure::builder("viewer")
                .field(gst_rtsp_server::RTSP_PERM_MEDIA_FACTORY_ACCESS, true)
                .field(gst_rtsp_server::RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, true)
                .build();
            factory.add_role_from_structure(&permissions);
        }
        server.mount_points().unwrap().add_factory("/cam", factory.clone());
        let id = server.attach(Some(&context)).unwrap();
        let thread = std::thread::spawn({
            let (main, context) = (main.clone(), context.clone());
            move || {
                main.run();
                server.client_filter(Some(
                    &mut |_: &RTSPServer, _: &gst_rtsp_server::RTSPClient| {
                        gst_rtsp_server::RTSPFilterResult::Remove
                    },
                ));
                if let Some(source) = context.find_source_by_id(&id) {
                    source.destroy();
                }
            }
        });
        Self { factory, context, main, thread: Some(thread) }
    }

    /// Hands the pipeline of whoever watches to `found`, when it is made.
    pub(crate) fn on_pipeline(&self, found: impl Fn(gst::Bin) + Send + Sync + 'static) {
        self.factory.connect_media_configure(move |_, media| {
            found(media.element().downcast().unwrap());
        });
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.main.quit();
        self.context.wakeup();
        self.thread.take().unwrap().join().unwrap();
    }
}
