//! The range of every value of a recipe.

use super::{
    AugmentRecipe, BalanceRecipe, ModelRecipe, OptimiserKind, OptimiserRecipe, Recipe,
    ScheduleRecipe,
};

/// The most epochs that a recipe may ask for.
pub const MOST_EPOCHS: usize = 100_000;

/// What is out of range, a line a value.
pub(super) fn problems(recipe: &Recipe) -> Vec<String> {
    let mut ranges = Ranges::default();
    ranges.seed(recipe.seed);
    ranges.real("threads", f64::from(recipe.threads), 1.0, 1024.0);
    ranges.device(&recipe.device);
    ranges.real("data.ferplus", recipe.data.ferplus, 0.0, 1.0);
    ranges.input(recipe);
    ranges.model(&recipe.model);
    ranges.halvings(recipe);
    ranges.augment(&recipe.augment);
    ranges.balance(&recipe.balance);
    ranges.real("loss.label_smoothing", recipe.loss.label_smoothing, 0.0, 0.95);
    ranges.real("loss.l1", recipe.loss.l1, 0.0, 1.0);
    ranges.optimiser(&recipe.optimiser);
    ranges.schedule(&recipe.schedule, recipe.optimiser.epochs);
    if let Some(stopping) = &recipe.early_stopping {
        ranges.whole("early_stopping.patience", stopping.patience, 1, MOST_EPOCHS);
    }
    if let Some(distill) = &recipe.distill {
        ranges.real("distill.temperature", distill.temperature, 1.0, 100.0);
        ranges.real("distill.weight", distill.weight, 0.0, 1.0);
        if let Some(sample) = distill.sample {
            ranges.whole("distill.sample", sample, 1, 1000);
        }
    }
    ranges.problems
}

#[derive(Default)]
struct Ranges {
    problems: Vec<String>,
}

impl Ranges {
    /// `low` to `high`; NaN is outside.
    fn real(&mut self, key: &str, value: f64, low: f64, high: f64) {
        if !(low..=high).contains(&value) {
            self.problems.push(format!("{key}: {value}; expected {low} to {high}"));
        }
    }

    fn whole(&mut self, key: &str, value: usize, low: usize, high: usize) {
        if !(low..=high).contains(&value) {
            self.problems.push(format!("{key}: {value}; expected {low} to {high}"));
        }
    }

    /// libtorch's generator takes 32 bits of it: another would give the same run as one of these.
    fn seed(&mut self, seed: i64) {
        if u32::try_from(seed).is_err() {
            self.problems.push(format!("seed: {seed}; expected 0 to {}", u32::MAX));
        }
    }

    fn list(&mut self, key: &str, values: &[i64], longest: usize) {
        self.whole(&format!("{key} (how many)"), values.len(), 1, longest);
        for &value in values {
            self.real(key, value as f64, 1.0, 8192.0);
        }
    }

    fn device(&mut self, device: &str) {
        let index = device.strip_prefix("cuda:").map(str::parse::<usize>);
        if !(matches!(device, "cpu" | "cuda") || matches!(index, Some(Ok(_)))) {
            self.problems.push(format!("device: `{device}`; expected cpu, cuda or cuda:N"));
        }
    }

    fn input(&mut self, recipe: &Recipe) {
        let input = &recipe.input;
        self.whole("input.size", input.size, 8, 1024);
        if input.colour == fer_core::preprocess::Colour::Bgr {
            self.problems.push("input.colour: bgr; expected grey or rgb".to_owned());
        }
        let channels = input.colour.channels();
        for (key, values, low) in
            [("input.mean", &input.mean, 0.0), ("input.std", &input.std, 1e-3)]
        {
            if values.len() != channels {
                let count = values.len();
                self.problems.push(format!("{key}: {count} values; expected {channels}"));
            }
            for &value in values {
                self.real(key, f64::from(value), low, 1.0);
            }
        }
    }

    fn model(&mut self, model: &ModelRecipe) {
        match model {
            ModelRecipe::SourceCnn { filters, dense, activation: _, dropout } => {
                self.list("model.source-cnn.filters", filters, 8);
                self.list("model.source-cnn.dense", dense, 8);
                self.real("model.source-cnn.dropout", *dropout, 0.0, 0.95);
            }
            ModelRecipe::Vgg { widths, convolutions, dense, dropout } => {
                self.list("model.vgg.widths", widths, 8);
                self.whole("model.vgg.convolutions", *convolutions, 1, 8);
                if !dense.is_empty() {
                    self.list("model.vgg.dense", dense, 8);
                }
                self.real("model.vgg.dropout", *dropout, 0.0, 0.95);
            }
            ModelRecipe::Resnet { widths, blocks, stem_stride, dropout } => {
                self.list("model.resnet.widths", widths, 8);
                self.whole("model.resnet.blocks", *blocks, 1, 64);
                self.real("model.resnet.stem_stride", *stem_stride as f64, 1.0, 2.0);
                self.real("model.resnet.dropout", *dropout, 0.0, 0.95);
            }
            ModelRecipe::Mobilenet { widths, blocks, expansion, stem_stride, dropout } => {
                self.list("model.mobilenet.widths", widths, 8);
                self.whole("model.mobilenet.blocks", *blocks, 1, 64);
                self.real("model.mobilenet.expansion", *expansion as f64, 1.0, 16.0);
                self.real("model.mobilenet.stem_stride", *stem_stride as f64, 1.0, 2.0);
                self.real("model.mobilenet.dropout", *dropout, 0.0, 0.95);
            }
            ModelRecipe::Torchvision { architecture: _, dropout } => {
                self.real("model.torchvision.dropout", *dropout, 0.0, 0.95);
            }
        }
    }

    /// Whether something is left of the input after all halvings.
    fn halvings(&mut self, recipe: &Recipe) {
        let halvings = match &recipe.model {
            ModelRecipe::SourceCnn { filters, .. } => filters.len(),
            ModelRecipe::Vgg { widths, .. } => widths.len(),
            ModelRecipe::Torchvision { .. } => 5,
            // Strided convolutions with padding always leave one pixel.
            ModelRecipe::Resnet { .. } | ModelRecipe::Mobilenet { .. } => 0,
        };
        let (size, least) = (recipe.input.size, 1_usize << halvings.min(16));
        if size < least {
            self.problems.push(format!(
                "input.size: {size}; expected at least {least} for this network, which halves the \
                 sides {halvings} times"
            ));
        }
    }

    fn augment(&mut self, a: &AugmentRecipe) {
        self.real("augment.rotation", a.rotation, 0.0, 180.0);
        self.real("augment.scale[0]", a.scale[0], 0.1, a.scale[1]);
        self.real("augment.scale[1]", a.scale[1], a.scale[0], 10.0);
        self.real("augment.shift", a.shift, 0.0, 1.0);
        self.real("augment.box_jitter", a.box_jitter, 0.0, 0.4);
        self.real("augment.brightness", a.brightness, 0.0, 1.0);
        self.real("augment.contrast", a.contrast, 0.0, 1.0);
        self.real("augment.noise", a.noise, 0.0, 1.0);
        self.real("augment.degrade.probability", a.degrade.probability, 0.0, 1.0);
        self.real("augment.degrade.shrink", a.degrade.shrink, 0.05, 1.0);
        self.real("augment.degrade.blur", a.degrade.blur, 0.0, 1.0);
        self.real("augment.degrade.darken", a.degrade.darken, 0.01, 1.0);
        self.real("augment.degrade.jpeg", a.degrade.jpeg, 1.0, 100.0);
        self.real("augment.erase", a.erase, 0.0, 1.0);
        self.real("augment.erase_side", a.erase_side, 0.0, 1.0);
        self.real("augment.mixup", a.mixup, 0.0, 1.0);
        self.real("augment.cutmix", a.cutmix, 0.0, 1.0);
        self.real("augment.mixup + augment.cutmix", a.mixup + a.cutmix, 0.0, 1.0);
        self.real("augment.mix_alpha", a.mix_alpha, 0.01, 100.0);
    }

    fn balance(&mut self, balance: &BalanceRecipe) {
        match *balance {
            BalanceRecipe::None => {}
            BalanceRecipe::ClassWeights { power } => {
                self.real("balance.class-weights.power", power, 0.0, 2.0);
            }
            BalanceRecipe::BalancedSampling { power } => {
                self.real("balance.balanced-sampling.power", power, 0.0, 2.0);
            }
            BalanceRecipe::Smote { k } => self.whole("balance.smote.k", k, 1, 1000),
            BalanceRecipe::Focal { gamma } => self.real("balance.focal.gamma", gamma, 0.0, 10.0),
            BalanceRecipe::LogitAdjustment { tau } => {
                self.real("balance.logit-adjustment.tau", tau, 0.0, 3.0);
            }
        }
    }

    fn optimiser(&mut self, o: &OptimiserRecipe) {
        self.whole("optimiser.epochs", o.epochs, 1, MOST_EPOCHS);
        self.whole("optimiser.batch", o.batch, 2, 65536);
        self.real("optimiser.learning_rate", o.learning_rate, 1e-9, 100.0);
        self.real("optimiser.weight_decay", o.weight_decay, 0.0, 1.0);
        self.real("optimiser.clip_norm", o.clip_norm, 0.0, 1e6);
        self.real("optimiser.sam_radius", o.sam_radius, 0.0, 10.0);
        self.real("optimiser.ema_decay", o.ema_decay, 0.0, 0.999_999);
        match o.kind {
            OptimiserKind::Sgd { momentum } => {
                self.real("optimiser.kind.sgd.momentum", momentum, 0.0, 0.9999);
            }
            OptimiserKind::Adam { betas, epsilon } | OptimiserKind::Adamw { betas, epsilon } => {
                for beta in betas {
                    self.real("optimiser.kind: betas", beta, 0.0, 0.999_999);
                }
                self.real("optimiser.kind: epsilon", epsilon, 1e-12, 1.0);
            }
        }
    }

    fn schedule(&mut self, schedule: &ScheduleRecipe, epochs: usize) {
        match *schedule {
            ScheduleRecipe::Constant => {}
            ScheduleRecipe::Plateau { monitor: _, factor, patience } => {
                self.real("schedule.plateau.factor", factor, 0.01, 0.999);
                self.whole("schedule.plateau.patience", patience, 1, 100_000);
            }
            ScheduleRecipe::Step { every, factor } => {
                self.whole("schedule.step.every", every, 1, 100_000);
                self.real("schedule.step.factor", factor, 0.01, 0.999);
            }
            ScheduleRecipe::Cosine { warmup_epochs, final_fraction } => {
                self.real("schedule.cosine.warmup_epochs", warmup_epochs, 0.0, epochs as f64);
                self.real("schedule.cosine.final_fraction", final_fraction, 0.0, 1.0);
            }
        }
    }
}
