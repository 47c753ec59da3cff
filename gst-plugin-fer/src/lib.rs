//! GStreamer elements for facial expressions.
//!
//! * [`ferdetect`] finds faces, follows them and names their expression,
//! * [`feroverlay`] draws or hides them, from the metadata alone,
//! * [`ferjson`] turns the metadata into JSON Lines or ONVIF documents.
//!
//! Rust programs may link this crate and call [`plugin_register_static`]; everything else loads
//! the shared library through `GST_PLUGIN_PATH`.

use gst::glib;

mod chain;
mod draw;
pub mod ferdetect;
pub mod ferjson;
pub mod feroverlay;
mod live;
pub mod meta;
mod pixels;
mod regions;
mod strings;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    meta::register();
    ferdetect::register(plugin)?;
    feroverlay::register(plugin)?;
    ferjson::register(plugin)
}

/// What GStreamer finds in the shared library.
#[allow(missing_docs, unreachable_pub, reason = "the macro's own")]
mod plugin {
    use super::plugin_init;

    gst::plugin_define!(
        fer,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        "MIT/X11",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_REPOSITORY"),
        env!("BUILD_REL_DATE")
    );
}

pub use plugin::plugin_register_static;
