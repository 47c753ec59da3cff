//! SVG to PNG.

use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use super::ChartError;

/// Pixels of the PNG for each of the SVG, so that small text is sharp.
const SCALE: f32 = 2.0;
/// Families for `sans-serif`, the first that is there; else whatever is there.
const SANS: [&str; 5] = ["DejaVu Sans", "Liberation Sans", "Noto Sans", "Arial", "Helvetica"];

/// The PNG of an SVG, at twice its size, with the system's fonts.
///
/// # Errors
///
/// [`ChartError::Svg`]; [`ChartError::NoFont`] where the system has none; [`ChartError::Png`].
pub fn png(svg: &str) -> Result<Vec<u8>, ChartError> {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut fonts = fontdb::Database::new();
        fonts.load_system_fonts();
        Arc::new(fonts)
    });
    render(svg, fonts)
}

fn render(svg: &str, fonts: &Arc<fontdb::Database>) -> Result<Vec<u8>, ChartError> {
    let families = || fonts.faces().flat_map(|face| &face.families).map(|(name, _)| name);
    let preferred = SANS.iter().find(|&&wanted| families().any(|name| name == wanted));
    let family = match preferred {
        Some(&family) => family.to_owned(),
        None => families().next().ok_or(ChartError::NoFont)?.clone(),
    };
    let mut options = Options { fontdb: fonts.clone(), ..Options::default() };
    options.fontdb_mut().set_sans_serif_family(&family);
    options.font_family = family;

    let tree = Tree::from_str(svg, &options)?;
    let size = tree.size().to_int_size().scale_by(SCALE).unwrap_or(tree.size().to_int_size());
    let (width, height) = (size.width(), size.height());
    let failed = |reason: String| ChartError::Png { width, height, reason };
    let mut pixels =
        Pixmap::new(width, height).ok_or_else(|| failed("too large for memory".to_owned()))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart;

    fn chart() -> String {
        chart::bars("Images", &["anger".to_owned()], &[("test".to_owned(), vec![3.0])]).unwrap()
    }

    #[test]
    fn a_png_decodes_and_has_text() {
        let svg = chart();
        let picture = image::load_from_memory(&png(&svg).unwrap()).unwrap().to_luma8();
        assert_eq!(picture.width(), 1520);
        // The label is left of the bar, where all else is white.
        let dark = |x: u32, y: u32| picture.get_pixel(x, y).0[0] < 100;
        let inked = (0..100).any(|x| (96..130).any(|y| dark(x, y)));
        assert!(inked, "the label was not drawn");
    }

    #[test]
    fn without_fonts_there_is_no_picture() {
        let error = render(&chart(), &Arc::new(fontdb::Database::new())).unwrap_err();
        assert!(matches!(error, ChartError::NoFont), "{error}");
        assert!(error.to_string().contains("fonts-dejavu-core"));
    }

    #[test]
    fn what_is_not_svg_is_refused() {
        assert!(matches!(png("<p>no</p>").unwrap_err(), ChartError::Svg(_)));
    }
}
