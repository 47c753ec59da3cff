//! What a report says of the training itself: curves, data, recipe, machine.

use maud::{Markup, html};

use super::ReportError;
use super::page::{chart, duration, size, terms};
use crate::chart::{ChartError, bars, grouped, lines};
use crate::recipe::DistillRecipe;
use crate::run::Run;
use crate::training::EpochRecord;

/// A curve over epochs.
type Curve = (String, Vec<(f64, f64)>);

/// Loss, accuracy and learning rate over the epochs.
pub(super) fn curves(run: &Run) -> Result<Markup, ChartError> {
    let history: &[EpochRecord] = &run.progress.history;
    let curve = |name: &str, figure: fn(&EpochRecord) -> f64| -> Curve {
        (name.to_owned(), history.iter().map(|epoch| (epoch.epoch as f64, figure(epoch))).collect())
    };
    let loss =
        [curve("training", |epoch| epoch.loss), curve("validation", |epoch| epoch.validation_loss)];
    let mut scores = vec![
        curve("validation accuracy", |epoch| epoch.validation_accuracy),
        curve("validation macro-F1", |epoch| epoch.validation_macro_f1),
    ];
    // Where all images of an epoch were mixed there is no accuracy to speak of.
    if history.iter().any(|epoch| epoch.accuracy > 0.0) {
        scores.push(curve("training accuracy", |epoch| {
            if epoch.accuracy > 0.0 { epoch.accuracy } else { f64::NAN }
        }));
    }
    let rate = [curve("learning rate", |epoch| epoch.learning_rate)];
    let speed = [curve("images/s", |epoch| epoch.images_per_second)];
    Ok(html! {
        div.pair {
            (chart(&lines("Loss", "epoch", "nats an image", &loss)?, "loss over epochs"))
            (chart(&lines("Scores", "epoch", "fraction", &scores)?, "scores over epochs"))
            (chart(&lines("Learning rate", "epoch", "rate", &rate)?, "learning rate over epochs"))
            (chart(&lines("Training speed", "epoch", "images/s", &speed)?, "speed over epochs"))
        }
        @if let Some(DistillRecipe { weight, temperature, .. }) = run.progress.recipe.distill {
            p.faint {
                "The two losses are not on one scale: the training loss is "
                (format!("{:.3}", 1.0 - weight)) " of the labels' and "
                (format!("{:.3}", weight * temperature * temperature))
                " (w·T²) of the divergence from the teachers at temperature " (temperature)
                "; the validation loss is the labels' alone."
            }
        }
    })
}

/// What was learnt from.
pub(super) fn data(run: &Run) -> Result<Markup, ChartError> {
    let data = &run.progress.data;
    let counts = data.class_counts.iter().map(|&count| count as f64).collect();
    let names = run.progress.classes.names();
    let histogram = bars("Training images of each class", names, &[("images".to_owned(), counts)])?;
    let images: usize = data.class_counts.iter().sum();
    let removed = format!(
        "{} with a twin in another split, {} of one brightness",
        grouped(data.removed.twins),
        grouped(data.removed.constant)
    );
    let about = terms(&[
        ("data set", Some(data.name.clone())),
        ("training images", Some(grouped(images))),
        ("left out of it", Some(removed)),
        ("added by SMOTE", (data.synthetic > 0).then(|| grouped(data.synthetic))),
        (
            "validation images",
            Some(format!("{} of {}", grouped(data.validation_images), data.validation)),
        ),
        ("SHA-256 of both", Some(data.sha256.clone())),
    ]);
    Ok(html! {
        div.pair {
            (chart(&histogram, "training images of each class"))
            div.box { (about) }
        }
    })
}

/// The recipe with every value written out.
pub(super) fn recipe(run: &Run) -> Result<Markup, ReportError> {
    let yaml = run.progress.recipe.to_yaml()?;
    Ok(html! { div.box { pre { (yaml) } } })
}

/// Versions, time and machine.
pub(super) fn machine(run: &Run) -> Markup {
    let history = &run.progress.history;
    let mean = |figure: fn(&EpochRecord) -> f64| {
        (!history.is_empty())
            .then(|| history.iter().map(figure).sum::<f64>() / history.len() as f64)
    };
    let speed = mean(|epoch| epoch.images_per_second).map(|speed| format!("{speed:.0} images/s"));
    let epoch = mean(|epoch| epoch.seconds).map(duration);
    let teachers = &run.progress.teachers;
    let info = run.info.as_ref();
    let on = |of: fn(&crate::run::RunInfo) -> Option<String>| info.and_then(of);
    let about = terms(&[
        ("fer-train", on(|info| Some(info.fer_train.clone()))),
        ("libtorch", on(|info| info.libtorch.clone())),
        ("started", on(|info| info.started.clone())),
        ("training time", Some(duration(run.training_seconds()))),
        ("an epoch", epoch),
        ("training speed", speed),
        ("peak memory", on(|info| info.peak_memory.map(size))),
        ("device", Some(run.progress.recipe.device.clone())),
        ("threads", Some(run.progress.recipe.threads.to_string())),
        ("processor", on(|info| info.machine.cpu.clone())),
        ("processors", on(|info| info.machine.processors.map(|count| count.to_string()))),
        (
            "graphics cards",
            on(|info| (!info.machine.gpus.is_empty()).then(|| info.machine.gpus.join(", "))),
        ),
        ("memory", on(|info| info.machine.memory.map(size))),
        ("system", on(|info| info.machine.system.clone())),
        ("SHA-256 of teachers", (!teachers.is_empty()).then(|| teachers.join(", "))),
        ("SHA-256 of first weights", run.progress.initial_weights.clone()),
    ]);
    html! {
        div.box {
            (about)
            @if info.is_none() {
                p.faint { "Versions and machine were not noted (there is no `run.json`)." }
            }
        }
    }
}
