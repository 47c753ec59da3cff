//! RTSP servers within this program, one a port, and what outputs mount on them.

mod factory;
mod server;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gst::glib;
use gst::prelude::*;

use self::factory::Factory;
use self::server::Server;
use crate::config::Restream;
use crate::graph::{FrameTaker, Media, password};

/// The servers that run, by address: outputs of several streams may share one.
static SERVERS: Mutex<BTreeMap<SocketAddr, Server>> = Mutex::new(BTreeMap::new());

/// Where the frames go in of everything that is being watched.
type Viewers = Arc<Mutex<Vec<glib::WeakRef<gst_app::AppSrc>>>>;

/// The place of one output on its server. It outlives the pipelines of its stream: viewers stay
/// while a camera is reached again.
#[derive(Debug)]
pub(super) struct Mount {
    address: SocketAddr,
    path: String,
    viewers: Viewers,
}

impl Mount {
    /// Mounts an output; the first one at an address starts its server.
    pub(super) fn open(settings: &Restream, stream: &str, media: Media) -> Result<Self, String> {
        let address = SocketAddr::new(settings.address, settings.port);
        let path = settings.path.replace("{stream}", stream);
        let secret = password(settings.password.as_ref(), settings.password_file.as_deref());
        let secret = secret.map_err(|error| error.to_string())?;
        if secret.as_ref().is_some_and(|secret| secret.reveal().is_empty()) {
            return Err("its password is empty: everybody knows that one".to_owned());
        }
        let login = settings.user.clone().zip(secret);
        let viewers = Viewers::default();
        let mut servers = lock(&SERVERS);
        let server = match servers.remove(&address) {
            Some(server) => server,
            None => Server::start(address, login.clone())?,
        };
        let server = servers.entry(address).or_insert(server);
        server.mount(&path, &Factory::new(maker(media, &viewers)), login.as_ref())?;
        Ok(Self { address, path, viewers })
    }

    /// Hands frames to whoever watches, and waits for nobody.
    pub(super) fn taker(&self) -> FrameTaker {
        let viewers = Arc::clone(&self.viewers);
        Arc::new(move |sample| {
            let mut viewers = lock(&viewers);
            if viewers.is_empty() {
                return Ok(());
            }
            let Some(mut frame) = sample.buffer().map(gst::BufferRef::to_owned) else {
                return Ok(());
            };
            // Viewers have a clock of their own, which goes on whatever becomes of the source.
            let buffer = frame.make_mut();
            buffer.set_pts(gst::ClockTime::NONE);
            buffer.set_dts(gst::ClockTime::NONE);
            let caps = sample.caps_owned();
            let frame = gst::Sample::builder().buffer(&frame).caps_if_some(caps.as_ref()).build();
            viewers.retain(|viewer| {
                let entry = viewer.upgrade();
                // Refused by one that is about to start or to end.
                let _ = entry.as_ref().map(|entry| entry.push_sample(&frame));
                entry.is_some()
            });
            Ok(())
        })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        for viewer in lock(&self.viewers).drain(..).filter_map(|viewer| viewer.upgrade()) {
            // Refused by one that has ended already.
            let _ = viewer.end_of_stream();
        }
        // Kept locked until the port is free again: the next one at this address may wait for it.
        let mut servers = lock(&SERVERS);
        if servers.get_mut(&self.address).is_some_and(|server| server.unmount(&self.path)) {
            servers.remove(&self.address);
        }
    }
}

/// Makes what is watched, and takes it among the viewers.
fn maker(media: Media, viewers: &Viewers) -> factory::Maker {
    let viewers = Arc::downgrade(viewers);
    Box::new(move || {
        let viewers = viewers.upgrade()?;
        match media.build() {
            Ok((bin, entry)) => {
                lock(&viewers).push(entry.downgrade());
                Some(bin.upcast())
            }
            Err(error) => {
                gst::warning!(gst::CAT_RUST, "nothing to watch: {error}");
                None
            }
        }
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing here is left half-changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
