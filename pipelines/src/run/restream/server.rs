//! One RTSP server, in a thread of its own.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use gst::glib;
use gst_rtsp_server::gst_rtsp::RTSPAuthMethod;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{
    RTSP_PERM_MEDIA_FACTORY_ACCESS, RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
    RTSP_TOKEN_MEDIA_FACTORY_ROLE, RTSPAuth, RTSPFilterResult, RTSPServer, RTSPThreadPool,
    RTSPToken, gio,
};

use super::factory::Factory;
use crate::config::Secret;

/// Those who may log in.
const ROLE: &str = "viewer";

/// A server that listens until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    server: RTSPServer,
    login: Option<(String, Secret)>,
    paths: BTreeSet<String>,
    context: glib::MainContext,
    main: glib::MainLoop,
    listener: glib::Source,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at an address, to everybody or to those with a login.
    pub(super) fn start(
        address: SocketAddr,
        login: Option<(String, Secret)>,
    ) -> Result<Self, String> {
        let told =
            |error: &dyn std::fmt::Display| format!("nobody can watch at {address}: {error}");
        let server = RTSPServer::new();
        server.set_address(&address.ip().to_string());
        server.set_service(&address.port().to_string());
        // A thread for each client: one that waits for a first frame holds up no other.
        let threads = RTSPThreadPool::new();
        threads.set_max_threads(-1);
        server.set_thread_pool(Some(&threads));
        server.set_auth(login.as_ref().map(|(user, password)| guard(user, password)).as_ref());
        let context = glib::MainContext::new();
        let listener = server.create_source(gio::Cancellable::NONE).map_err(|e| told(&e))?;
        listener.attach(Some(&context));
        // Clients that vanish without a word.
        let pool = server.session_pool();
        let watch = pool.map(|pool| {
            pool.create_watch(None, glib::Priority::DEFAULT, |pool| {
                pool.cleanup();
                glib::ControlFlow::Continue
            })
        });
        if let Some(watch) = watch {
            watch.attach(Some(&context));
        }
        let main = glib::MainLoop::new(Some(&context), false);
        let running = main.clone();
        let thread = std::thread::Builder::new()
            .name(format!("rtsp {}", address.port()))
            .spawn(move || running.run())
            .map_err(|error| told(&error))?;
        let thread = Some(thread);
        Ok(Self { server, login, paths: BTreeSet::new(), context, main, listener, thread })
    }

    /// Offers what a factory makes under a path.
    pub(super) fn mount(
        &mut self,
        path: &str,
        factory: &Factory,
        login: Option<&(String, Secret)>,
    ) -> Result<(), String> {
        if self.login.as_ref() != login {
            return Err(format!("{path}: another output at this port has another login"));
        }
        if !self.paths.insert(path.to_owned()) {
            return Err(format!("{path}: another output at this port has the same path"));
        }
        if login.is_some() {
            let permissions = gst::Structure::builder(ROLE)
                .field(RTSP_PERM_MEDIA_FACTORY_ACCESS, true)
                .field(RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, true)
                .build();
            factory.add_role_from_structure(&permissions);
        }
        if let Some(mounts) = self.server.mount_points() {
            mounts.add_factory(path, factory.clone());
        }
        Ok(())
    }

    /// Takes a path away, and what is watched there; whether nothing is left.
    pub(super) fn unmount(&mut self, path: &str) -> bool {
        self.paths.remove(path);
        if let Some(mounts) = self.server.mount_points() {
            mounts.remove_factory(path);
        }
        let length = i32::try_from(path.len()).ok();
        if let Some(pool) = self.server.session_pool() {
            pool.filter(Some(&mut |_, session| {
                session.filter(Some(&mut |_, media| match media.matches(path) == length {
                    true => RTSPFilterResult::Remove,
                    false => RTSPFilterResult::Keep,
                }));
                RTSPFilterResult::Keep
            }));
        }
        self.paths.is_empty()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.server.client_filter(Some(&mut |_, _| RTSPFilterResult::Remove));
        self.listener.destroy();
        // From within: a loop that does not run yet cannot be told to stop.
        let main = self.main.clone();
        let end = glib::idle_source_new(None, glib::Priority::DEFAULT, move || {
            main.quit();
            glib::ControlFlow::Break
        });
        end.attach(Some(&self.context));
        if let Some(thread) = self.thread.take() {
            // It does not panic: it only runs GLib's loop.
            let _ = thread.join();
        }
    }
}

/// Lets in those who know the password.
fn guard(user: &str, password: &Secret) -> RTSPAuth {
    let auth = RTSPAuth::new();
    let token = RTSPToken::builder().field(RTSP_TOKEN_MEDIA_FACTORY_ROLE, ROLE).build();
    // The other method sends the password as it is.
    auth.set_supported_methods(RTSPAuthMethod::Digest);
    auth.add_digest(user, password.reveal(), &token);
    auth
}
