//! What can go wrong while drawing.

use gst_video::VideoFormat;

/// Why a frame could not be drawn on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DrawError {
    /// The format has components that are not plain bytes.
    #[error(
        "cannot draw on format {0:?}: grey, YUV or RGB with 8 bits a component, chroma of full or \
         half size, not tiled and without a palette, is needed"
    )]
    Format(VideoFormat),
    /// A plane ends before its last pixel.
    #[error("plane {plane} has {actual} bytes, but its last sample is byte {needed}")]
    Short {
        /// The plane's index.
        plane: usize,
        /// Bytes there are.
        actual: usize,
        /// Bytes there should be at least.
        needed: usize,
    },
    /// A plane does not lie in the buffer.
    #[error("plane {plane} does not lie in the buffer where its video meta says")]
    Misplaced {
        /// The plane's index.
        plane: u32,
    },
    /// Text or a shape could not be rendered.
    #[error("rendering text or a shape failed: {0}")]
    Render(#[from] cairo::Error),
    /// A rendered surface could not be read.
    #[error("reading a rendered surface failed: {0}")]
    Surface(#[from] cairo::BorrowError),
}
