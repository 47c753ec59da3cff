//! Bakes version and commit into the plugin.

fn main() {
    gst_plugin_version_helper::info();
}
