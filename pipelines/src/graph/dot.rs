//! A stream's pipeline as a picture, in Graphviz' language.
//!
//! GStreamer's own dump shows every property, passwords among them, and every pad; this one shows
//! what runs into what.

use std::fmt::Write;

use gst::prelude::*;

use super::StreamGraph;
use crate::config::{Stream, without_password};

const HEAD: &str = "digraph fer {
  rankdir=LR; compound=true; nodesep=0.25; ranksep=0.35;
  fontname=\"sans-serif\"; fontsize=13; bgcolor=white;
  node [shape=box, style=\"rounded,filled\", fillcolor=white, color=\"#8a929b\", fontname=\"sans-serif\", fontsize=11, height=0.35];
  edge [color=\"#66707b\", arrowsize=0.6];
";

/// The pipelines of streams, by name, as one directed graph. Links that are made when a decoder has
/// found its video are dashed. No property is shown that may hold a password.
pub fn dot<'a>(
    streams: impl IntoIterator<Item = (&'a str, &'a Stream, &'a StreamGraph)>,
) -> String {
    let mut picture = Picture { text: HEAD.to_owned(), links: String::new() };
    for (name, stream, graph) in streams {
        picture.pipeline(name, stream, graph);
    }
    let Picture { text, links } = picture;
    format!("{text}{links}}}\n")
}

struct Picture {
    text: String,
    links: String,
}

impl Picture {
    fn pipeline(&mut self, name: &str, stream: &Stream, graph: &StreamGraph) {
        let settings: String = stream
            .analysis
            .iter()
            .map(|(key, value)| format!("\n{key}: {}", value.to_string().trim_matches('"')))
            .collect();
        let label = |bin: &gst::Bin| {
            let output = graph.branches.iter().find(|branch| branch.is(bin));
            match output {
                Some(branch) => format!("output {}: {}", branch.index, branch.kind),
                None if bin.name() == "end" => "always there".to_owned(),
                // Named by GStreamer, which says nothing.
                None if bin.name().starts_with("bin") => String::new(),
                None => bin.name().to_string(),
            }
        };
        let detector = graph.detector.path_string();
        let describe = |element: &gst::Element| {
            let more = if element.path_string() == detector { &settings } else { "" };
            format!("{}{more}", describe(element))
        };
        self.cluster(graph.pipeline.upcast_ref(), name, &label, &describe);
        for (index, _) in &graph.failed {
            let id = quoted(&format!("{name} {index}"));
            let label = quoted(&format!("output {index}:\ncannot be made here"));
            // It may name anything that the file says, but no secret: those are masked in errors.
            // Graphviz adds it to the cluster of that name.
            let cluster = cluster(&graph.pipeline);
            let _ = writeln!(
                self.text,
                "  subgraph {cluster} {{ {id} [label={label}, color=\"#d55e00\"]; }}"
            );
        }
    }

    fn cluster(
        &mut self,
        bin: &gst::Bin,
        title: &str,
        label: &dyn Fn(&gst::Bin) -> String,
        describe: &dyn Fn(&gst::Element) -> String,
    ) {
        let id = cluster(bin);
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.text,
            "  subgraph {id} {{\n  label={}; style=rounded; color=\"#c3cad2\";",
            quoted(title)
        );
        let mut elements: Vec<gst::Element> =
            bin.iterate_elements().into_iter().flatten().collect();
        elements.reverse();
        for element in &elements {
            match group(element) {
                Some(inner) => self.cluster(inner, &label(inner), label, describe),
                None => self.element(element, &describe(element)),
            }
        }
        let _ = writeln!(self.text, "  }}");
        self.later(&elements);
    }

    fn element(&mut self, element: &gst::Element, label: &str) {
        let ours = element.factory().is_some_and(|factory| factory.name().starts_with("fer"));
        let fill = if ours { ", fillcolor=\"#fdf3c4\"" } else { "" };
        let id = quoted(&element.path_string());
        let _ = writeln!(self.text, "  {id} [label={}{fill}];", quoted(label));
        for next in element.src_pads().iter().filter_map(reached) {
            let _ = writeln!(self.links, "  {id} -> {};", quoted(&next.path_string()));
        }
    }

    /// Links that are made once a decoder knows what it has.
    fn later(&mut self, elements: &[gst::Element]) {
        let finds = |element: &&gst::Element| {
            let sometimes = |pad: &gst::PadTemplate| {
                pad.direction() == gst::PadDirection::Src
                    && pad.presence() == gst::PadPresence::Sometimes
            };
            element.pad_template_list().iter().any(sometimes) && element.src_pads().is_empty()
        };
        let waits = |element: &&gst::Element| {
            let free = |pad: &gst::Pad| !pad.is_linked();
            group(element).is_none() && element.sink_pads().first().is_some_and(free)
        };
        let (finder, waiting) = (elements.iter().find(finds), elements.iter().find(waits));
        if let (Some(finder), Some(waiting)) = (finder, waiting) {
            let (from, to) = (finder.path_string(), waiting.path_string());
            let _ = writeln!(self.links, "  {} -> {} [style=dashed];", quoted(&from), quoted(&to));
        }
    }
}

/// A bin that was made to hold others; decoders and the like are bins too, but one thing to look at.
fn group(element: &gst::Element) -> Option<&gst::Bin> {
    let plain = element.factory().is_none_or(|factory| factory.name() == "bin");
    element.downcast_ref::<gst::Bin>().filter(|_| plain)
}

/// The element that a pad's data runs into.
fn reached(pad: &gst::Pad) -> Option<gst::Element> {
    let mut peer = pad.peer()?;
    loop {
        let owner = peer.parent_element();
        if let Some(owner) = owner.filter(|owner| group(owner).is_none()) {
            return Some(owner);
        }
        peer = match peer.downcast_ref::<gst::GhostPad>() {
            // Into a group, or out of one.
            Some(ghost) => ghost.target()?,
            None => peer.downcast_ref::<gst::ProxyPad>()?.internal()?.peer()?,
        };
    }
}

/// An element's kind, and what is told of it.
fn describe(element: &gst::Element) -> String {
    let kind = element.factory().map_or_else(
        // Made by this program; GStreamer numbers the names.
        || element.name().trim_end_matches(|c: char| c.is_ascii_digit()).into(),
        |factory| factory.name(),
    );
    let more = match kind.as_str() {
        "uridecodebin" => {
            let uri = element.property::<Option<String>>("uri").unwrap_or_default();
            without_password(&uri)
        }
        "v4l2src" => element.property::<Option<String>>("device").unwrap_or_default(),
        "capsfilter" => element.property::<gst::Caps>("caps").iter().map(format).collect(),
        _ => String::new(),
    };
    if more.is_empty() { kind.to_string() } else { format!("{kind}\n{more}") }
}

/// A format of caps, a field a line.
fn format(structure: &gst::StructureRef) -> String {
    let field = |(name, value): (&gst::glib::GStr, &gst::glib::SendValue)| {
        let value = value.serialize().map(String::from).unwrap_or_default();
        format!("{name}: {value}\n")
    };
    format!("{}\n{}", structure.name(), structure.iter().map(field).collect::<String>())
}

/// The name of the cluster that a bin is drawn as.
fn cluster(bin: &impl IsA<gst::Object>) -> String {
    quoted(&format!("cluster {}", bin.path_string()))
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}
