//! The frame of an HTML page that needs nothing else: no network, no scripts, no other files.

use std::fmt::Display;

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Kept short; light, since the charts are.
const STYLE: &str = "
:root { color-scheme: light; --ink: #262a30; --faint: #6b727c; --line: #e3e6ea; --blue: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: #f5f6f8; color: var(--ink);
  font: 15px/1.5 system-ui, 'DejaVu Sans', sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 32px 24px 64px; }
main.wide { max-width: none; }
h1 { font-size: 28px; margin: 0; line-height: 1.2; }
h2 { font-size: 20px; margin: 40px 0 12px; }
h3 { font-size: 15px; margin: 0 0 8px; }
p { margin: 4px 0 12px; }
.faint, small { color: var(--faint); }
.box { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 16px; }
.cards { display: flex; flex-wrap: wrap; gap: 16px; margin: 16px 0; }
.card { flex: 1 1 140px; }
.card b { display: block; font-size: 24px; line-height: 1.25; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr));
  gap: 16px; margin: 16px 0; }
.split { display: flex; flex-wrap: wrap; gap: 24px 40px; align-items: flex-start; }
.card span { color: var(--faint); font-size: 13px; }
figure { margin: 0; max-width: 100%; }
figure.box { padding: 4px; }
figure svg { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { padding: 5px 12px; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { font-weight: 600; color: var(--faint); font-size: 13px; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
.wide th, .wide td { padding: 5px 8px; }
tr.total td { border-bottom: 0; color: var(--faint); }
.bar { display: inline-block; width: 72px; height: 8px; background: var(--line);
  border-radius: 2px; margin-left: 10px; }
.bar i { display: block; height: 100%; background: var(--blue); border-radius: 2px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 0; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
pre { margin: 0; overflow-x: auto; column-width: 320px; font: 13px/1.45 ui-monospace, 'DejaVu Sans Mono', monospace; }
details { margin: 16px 0; } summary { cursor: pointer; font-weight: 600; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(128px, 1fr)); gap: 14px; }
.mistakes figure { font-size: 13px; line-height: 1.35; }
.mistakes img { width: 100%; image-rendering: pixelated; border-radius: 4px; display: block;
  margin-bottom: 4px; }
.mistakes b { color: #b34700; }
.note { border-left: 4px solid #e69f00; padding: 8px 14px; background: #fff; margin: 12px 0; }
";

/// A whole page. `wide` lets it take all of the window.
pub(crate) fn page(title: &str, wide: bool, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Whatever a name or a recipe holds, nothing is fetched and nothing runs.
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; img-src data:; style-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main class=[wide.then_some("wide")] { (body) } }
        }
    };
    page.into_string()
}

/// A chart in a box; `description` is for those who cannot see it.
pub(crate) fn chart(svg: &str, description: &str) -> Markup {
    html! { figure.box role="img" aria-label=(description) { (PreEscaped(svg)) } }
}

/// One headline figure and what it is.
pub(crate) fn card(figure: impl Display, what: &str) -> Markup {
    html! { div.box.card { b { (figure.to_string()) } span { (what) } } }
}

/// Terms and what they are; those without a value are left out.
pub(crate) fn terms(pairs: &[(&str, Option<String>)]) -> Markup {
    html! {
        dl {
            @for (term, value) in pairs {
                @if let Some(value) = value { dt { (term) } dd { (value) } }
            }
        }
    }
}

/// Seconds for people: `12 s`, `3 min 20 s`, `2 h 05 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

/// Bytes in mebibytes or gibibytes.
pub(crate) fn size(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes < 1024.0 {
        format!("{mebibytes:.0} MiB")
    } else {
        format!("{:.1} GiB", mebibytes / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_for_people() {
        assert_eq!(duration(59.4), "59 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7_500.0), "2 h 05 min");
        assert_eq!(size(512 << 20), "512 MiB");
        assert_eq!(size(3 << 29), "1.5 GiB");
    }

    #[test]
    fn titles_are_escaped() {
        let text = page("a < b", false, &html! { p { "c & d" } });
        assert!(text.contains("<title>a &lt; b</title>") && text.contains("c &amp; d"));
    }
}
