//! Teachers: networks whose mean probabilities a student follows.

use std::path::{Path, PathBuf};

use fer_core::manifest::sha256_hex;
use tch::{Device, Kind, Tensor};

use crate::augment::standardise;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::classes::Classes;
use crate::network::Model;
use crate::recipe::{InputRecipe, Recipe};

/// Why teachers cannot teach.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TeacherError {
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A recipe that follows teachers got none, or the other way round.
    #[error("{0}")]
    Missing(&'static str),
    /// Teacher and student see other things.
    #[error("teacher `{path}`: its {what} is {found}; expected the student's, {expected}")]
    Other {
        /// The teacher's checkpoint.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// The teacher's.
        found: String,
        /// The student's.
        expected: String,
    },
}

/// Networks that do not learn any more.
#[derive(Debug, Default)]
pub struct Teachers {
    members: Vec<Teacher>,
}

#[derive(Debug)]
struct Teacher {
    model: Model,
    input: InputRecipe,
    sha256: String,
}

impl Teachers {
    /// Opens checkpoints as teachers of the student that `recipe` describes.
    ///
    /// # Errors
    ///
    /// [`TeacherError`]: unreadable, of other classes or another input, or in number other than
    /// the recipe asks for.
    pub fn open(
        paths: &[PathBuf],
        recipe: &Recipe,
        classes: &Classes,
        device: Device,
    ) -> Result<Self, TeacherError> {
        match (paths.is_empty(), recipe.distill.is_some()) {
            (true, true) => {
                let missing = "the recipe has a part `distill`, but there is no teacher; name at \
                               least one: fer-train distill RECIPE --teacher CHECKPOINT";
                return Err(TeacherError::Missing(missing));
            }
            (false, false) => {
                let missing = "there are teachers, but the recipe does not say how they are \
                               followed; expected a part `distill`";
                return Err(TeacherError::Missing(missing));
            }
            _ => {}
        }
        let open = |path: &PathBuf| Teacher::open(path, recipe, classes, device);
        Ok(Self { members: paths.iter().map(open).collect::<Result<_, _>>()? })
    }

    /// SHA-256 of each checkpoint.
    pub fn sha256(&self) -> Vec<String> {
        self.members.iter().map(|teacher| teacher.sha256.clone()).collect()
    }

    /// Mean over the teachers of softmax(logits / `temperature`), `[n, classes]`, of a view
    /// `[n, channels, size, size]` of values from 0 to 1.
    pub fn probabilities(&self, view: &Tensor, temperature: f64) -> Tensor {
        let of = |teacher: &Teacher| {
            let x = standardise(view, &teacher.input);
            let logits = teacher.model.network.forward(&x, false, 0);
            (logits / temperature).softmax(-1, Kind::Float)
        };
        tch::no_grad(|| {
            let all: Vec<Tensor> = self.members.iter().map(of).collect();
            Tensor::stack(&all, 0).mean_dim([0_i64].as_slice(), false, Kind::Float)
        })
    }
}

impl Teacher {
    fn open(
        path: &Path,
        recipe: &Recipe,
        classes: &Classes,
        device: Device,
    ) -> Result<Self, TeacherError> {
        let bytes = std::fs::read(path)
            .map_err(|source| CheckpointError::Io { path: path.to_owned(), source })?;
        let checkpoint = Checkpoint::parse(path, &bytes)?;
        let (own, input) = (&checkpoint.progress, &checkpoint.progress.recipe.input);
        let size = |input: &InputRecipe| format!("{}×{0} {:?}", input.size, input.colour);
        let student = &recipe.input;
        for (what, found, expected) in [
            ("list of classes", own.classes.names().join(", "), classes.names().join(", ")),
            ("input", size(input), size(student)),
        ] {
            if found != expected {
                return Err(TeacherError::Other { path: path.to_owned(), what, found, expected });
            }
        }
        let mut model = Model::new(&own.recipe.model, input, classes.len(), device);
        model.store.freeze();
        checkpoint.restore("average.", &model.tensors())?;
        Ok(Self { model, input: input.clone(), sha256: sha256_hex(&bytes) })
    }
}
