//! Teachers: networks whose mean probabilities a student follows.

mod teacher;

use std::path::PathBuf;

use fer_core::detect::BackendError;
use tch::{Device, Kind, Tensor};

use self::teacher::Teacher;
use crate::checkpoint::CheckpointError;
use crate::classes::Classes;
use crate::recipe::Recipe;

/// Why teachers cannot teach.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TeacherError {
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// ONNX Runtime, the ONNX file or its manifest fails.
    #[error(transparent)]
    Runtime(#[from] BackendError),
    /// A recipe that follows teachers got none, or the other way round.
    #[error("{0}")]
    Missing(&'static str),
    /// A recipe asks for more teachers a batch than there are.
    #[error("distill.sample: {sample}; expected at most the {teachers} teachers that were named")]
    TooFew {
        /// The recipe's value.
        sample: usize,
        /// Teachers there are.
        teachers: usize,
    },
    /// Teacher and student see other things.
    #[error("teacher `{path}`: its {what} is {found}; expected the student's, {expected}")]
    Other {
        /// The teacher's file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// The teacher's.
        found: String,
        /// The student's.
        expected: String,
    },
    /// What an ONNX file gives is no distribution.
    #[error("teacher `{name}`: {reason}")]
    Output {
        /// The manifest's name of it.
        name: String,
        /// What was wrong.
        reason: String,
    },
}

/// Networks that do not learn any more.
#[derive(Debug)]
pub struct Teachers {
    members: Vec<Teacher>,
    classes: Classes,
    /// How many of them are asked about a batch.
    sample: usize,
}

impl Teachers {
    /// Opens checkpoints (`.safetensors`) and ONNX files with their manifests as teachers of the
    /// student that `recipe` describes.
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
                               least one: fer-train distill RECIPE --teacher MODEL";
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
        let members = paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let sample = recipe.distill.and_then(|distill| distill.sample).unwrap_or(members.len());
        if sample > members.len() {
            let (sample, teachers) = (sample, members.len());
            return Err(TeacherError::TooFew { sample, teachers });
        }
        Ok(Self { members, classes: classes.clone(), sample })
    }

    /// SHA-256 of each checkpoint or ONNX file.
    pub fn sha256(&self) -> Vec<String> {
        self.members.iter().map(|teacher| teacher.sha256.clone()).collect()
    }

    /// Mean over the teachers, or over a random sample of them where the recipe asks for one, of
    /// softmax(logits / `temperature`), `[n, classes]`, of a view `[n, channels, size, size]` of
    /// values from 0 to 1.
    ///
    /// # Errors
    ///
    /// [`TeacherError::Runtime`] or [`TeacherError::Output`] of an ONNX file.
    pub fn probabilities(
        &mut self,
        view: &Tensor,
        temperature: f64,
    ) -> Result<Tensor, TeacherError> {
        let classes = &self.classes;
        let mut all = Vec::new();
        for index in drawn(self.members.len(), self.sample) {
            let teacher = &mut self.members[index];
            all.push(tch::no_grad(|| teacher.probabilities(view, classes, temperature))?);
        }
        Ok(Tensor::stack(&all, 0).mean_dim([0_i64].as_slice(), false, Kind::Float))
    }
}

/// Positions of `sample` of `members`, by libtorch's generator where there is a choice.
fn drawn(members: usize, sample: usize) -> Vec<usize> {
    if sample == members {
        return (0..members).collect();
    }
    let order = Tensor::randperm(members as i64, (Kind::Int64, Device::Cpu));
    (0..sample as i64).map(|position| order.int64_value(&[position]) as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_of_different_teachers_and_leaves_none_out_for_long() {
        tch::manual_seed(1);
        assert_eq!(drawn(3, 3), [0, 1, 2]);
        let mut asked = [0; 5];
        for _ in 0..500 {
            let chosen = drawn(5, 2);
            assert!(chosen.len() == 2 && chosen[0] != chosen[1], "{chosen:?}");
            chosen.into_iter().for_each(|index| asked[index] += 1);
        }
        // 200 each, give or take five standard deviations.
        assert!(asked.iter().all(|&count| (145..=255).contains(&count)), "{asked:?}");
    }
}
