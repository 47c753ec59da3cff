use std::sync::atomic::AtomicBool;
use std::thread::{scope, sleep};
use std::time::Instant;

use fer_core::fake::FnClassifier;

use super::*;

const NEVER: Duration = Duration::from_secs(3600);
/// A face of [`FnClassifier`].
const LENGTH: usize = 64;
const COLUMNS: usize = 7;

type Network = fn(&[f32]) -> Vec<f32>;

/// Tells how many faces each batch has before it runs.
struct Watched {
    inner: FnClassifier<Network>,
    batches: Sender<usize>,
    fails: Arc<AtomicBool>,
}

impl EmotionClassifier for Watched {
    fn manifest(&self) -> &Manifest {
        self.inner.manifest()
    }

    fn run(&mut self, batch: &[f32], faces: usize) -> Result<Vec<f32>, BackendError> {
        assert_eq!(batch.len(), faces * LENGTH);
        self.batches.send(faces).expect("the test listens");
        if self.fails.load(Ordering::Relaxed) {
            return Err(BackendError::Run("the device is gone".to_owned()));
        }
        self.inner.run(batch, faces)
    }
}

/// The row of a face whose values are all `value`.
fn row(value: f32) -> Vec<f32> {
    vec![value; COLUMNS]
}

/// Faces of one value each.
fn faces(values: impl IntoIterator<Item = f32>) -> Vec<f32> {
    values.into_iter().flat_map(|value| [value; LENGTH]).collect()
}

fn rows(values: impl IntoIterator<Item = f32>) -> Vec<f32> {
    values.into_iter().flat_map(row).collect()
}

/// `streams` ways to one network, and its batches: up to `ahead` run before somebody receives them.
fn joined(
    key: &str,
    streams: usize,
    ahead: usize,
    options: Options,
) -> (Vec<Batched>, Receiver<usize>, Arc<AtomicBool>) {
    let (batches, told) = crossbeam_channel::bounded(ahead);
    let fails = Arc::new(AtomicBool::new(false));
    let join = |_| {
        let inner = FnClassifier::new((|face| row(face[0])) as Network);
        let watched = Watched { inner, batches: batches.clone(), fails: Arc::clone(&fails) };
        Batched::join(key, watched, options).unwrap()
    };
    ((0..streams).map(join).collect(), told, fails)
}

#[test]
fn streams_take_turns_face_by_face() {
    let job = |count: usize| {
        let mut job = Job::new(crossbeam_channel::bounded(1).0);
        job.pack(&faces((0..count).map(|_| 0.0)), count);
        job
    };
    let shares = |counts: &[usize], most| {
        let mut jobs = counts.iter().map(|&count| job(count)).collect();
        let faces = engine::take_turns(&mut jobs, most);
        let shares: Vec<usize> = jobs.iter().map(Job::share).collect();
        assert_eq!(shares.iter().sum::<usize>(), faces);
        shares
    };
    assert_eq!(shares(&[3, 1, 40], 8), [3, 1, 4]);
    assert_eq!(shares(&[3, 1, 40], 100), [3, 1, 40]);
    assert_eq!(shares(&[40, 40], 5), [3, 2]);
    assert_eq!(shares(&[1, 1, 1, 1, 1], 3), [1, 1, 1, 0, 0]);
    assert_eq!(shares(&[2, 2], 0), [1, 0], "a batch has one face at least");
}

#[test]
fn a_stream_that_is_alone_waits_for_nobody() {
    let options = Options { wait: NEVER, ..Options::default() };
    let (mut streams, batches, _) = joined("alone", 1, 10, options);
    assert_eq!(streams[0].run(&faces([5.0, 6.0]), 2).unwrap(), rows([5.0, 6.0]));
    assert!(streams[0].run(&[], 0).unwrap().is_empty());
    assert_eq!(batches.try_iter().collect::<Vec<_>>(), [2]);
}

#[test]
fn faces_of_all_streams_are_one_batch_and_everybody_gets_their_own_rows() {
    let options = Options { wait: NEVER, ..Options::default() };
    let (mut streams, batches, _) = joined("together", 4, 10, options);
    scope(|scope| {
        for (number, stream) in streams.iter_mut().enumerate() {
            scope.spawn(move || {
                let values = || (0..=number).map(|face| (10 * number + face) as f32);
                let found = stream.run(&faces(values()), number + 1).unwrap();
                assert_eq!(found, rows(values()), "stream {number}");
            });
        }
    });
    assert_eq!(batches.try_iter().collect::<Vec<_>>(), [1 + 2 + 3 + 4]);
}

#[test]
fn a_full_batch_waits_for_nobody_else() {
    let options = Options { most: 3, wait: NEVER };
    let (mut streams, batches, _) = joined("full", 2, 10, options);
    let values = [1.0, 2.0, 3.0];
    assert_eq!(streams[0].run(&faces(values), 3).unwrap(), rows(values));
    assert_eq!(batches.try_iter().collect::<Vec<_>>(), [3]);
}

/// Three streams of which one never has a face.
#[test]
fn a_slow_stream_delays_the_others_by_the_deadline_only() {
    let wait = Duration::from_millis(300);
    let (mut streams, batches, _) = joined("slow", 3, 10, Options { wait, ..Options::default() });
    let slow = streams.pop();
    let began = Instant::now();
    scope(|scope| {
        for stream in &mut streams {
            scope.spawn(|| assert_eq!(stream.run(&faces([7.0]), 1).unwrap(), row(7.0)));
        }
    });
    let took = began.elapsed();
    assert!(took >= wait, "{took:?}: nobody was waited for");
    assert!(took < NEVER / 60, "{took:?}");
    assert_eq!(batches.try_iter().sum::<usize>(), 2);
    // Once it is gone, all who are left have faces.
    drop(slow);
    let began = Instant::now();
    streams.truncate(1);
    streams[0].run(&faces([7.0]), 1).unwrap();
    assert!(began.elapsed() < wait, "{:?}", began.elapsed());
}

/// One has 300 faces, ten a batch; another comes with one face while the first batch runs, and is
/// answered after the second.
#[test]
fn a_crowd_in_one_stream_delays_no_other() {
    let options = Options { most: 10, wait: NEVER };
    let (mut streams, batches, _) = joined("crowd", 2, 0, options);
    let (mut single, mut crowd) = (streams.pop().unwrap(), streams.pop().unwrap());
    let jobs = single.engine.jobs.clone().unwrap();
    let (answer, answered) = crossbeam_channel::bounded(1);
    scope(|scope| {
        let many = scope.spawn(move || crowd.run(&faces((0..300).map(|face| face as f32)), 300));
        let mut first = crossbeam_channel::Select::new();
        first.recv(&batches);
        first.ready();
        scope.spawn(move || answer.send(single.run(&faces([-1.0]), 1)));
        while jobs.is_empty() {
            sleep(Duration::from_millis(1));
        }
        assert_eq!([batches.recv().unwrap(), batches.recv().unwrap()], [10, 10]);
        let one = answered.recv_timeout(Duration::from_secs(60)).expect("it had its turn");
        assert_eq!(one.unwrap(), row(-1.0));
        drop(jobs);
        assert_eq!(batches.iter().take(29).sum::<usize>(), 281);
        assert_eq!(many.join().unwrap().unwrap(), rows((0..300).map(|face| face as f32)));
    });
}

#[test]
fn more_streams_than_a_batch_holds_get_all_their_own_rows_always() {
    let options = Options { most: 8, wait: Duration::from_millis(1) };
    let (streams, batches, _) = joined("many", 24, 100_000, options);
    scope(|scope| {
        for (number, mut stream) in streams.into_iter().enumerate() {
            scope.spawn(move || {
                for round in 0..40 {
                    let count = (number * 7 + round * 3) % 20;
                    let values =
                        || (0..count).map(|face| (1000 * number + 20 * round + face) as f32);
                    assert_eq!(stream.run(&faces(values()), count).unwrap(), rows(values()));
                }
            });
        }
    });
    assert!(batches.try_iter().all(|faces| (1..=8).contains(&faces)));
}

#[test]
fn a_failure_is_told_to_all_whom_it_concerns_and_is_over_then() {
    let options = Options { wait: NEVER, ..Options::default() };
    let (mut streams, _batches, fails) = joined("failure", 2, 10, options);
    let together = |streams: &mut [Batched]| {
        scope(|scope| {
            let run = |stream: &'_ mut Batched| stream.run(&faces([1.0]), 1);
            let threads = streams.iter_mut().map(|stream| scope.spawn(move || run(stream)));
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        })
    };
    fails.store(true, Ordering::Relaxed);
    for result in together(&mut streams) {
        assert_eq!(result.unwrap_err().to_string(), "the device is gone");
    }
    fails.store(false, Ordering::Relaxed);
    for result in together(&mut streams) {
        assert_eq!(result.unwrap(), row(1.0));
    }
}

#[test]
fn a_panic_is_told_and_who_joins_afterwards_begins_anew() {
    let (mut streams, batches, _) = joined("panic", 2, 0, Options::default());
    // Watched panics if nobody listens.
    drop(batches);
    for stream in &mut streams {
        for _ in 0..2 {
            let error = stream.run(&faces([1.0]), 1).unwrap_err().to_string();
            assert!(error.contains("model fake has panicked"), "{error}");
        }
    }
    let (mut anew, _batches, _) = joined("panic", 1, 10, Options::default());
    assert_eq!(anew[0].run(&faces([1.0]), 1).unwrap(), row(1.0));
}

#[test]
fn the_network_goes_with_its_last_stream() {
    let (mut streams, batches, _) = joined("end", 2, 10, Options::default());
    streams.pop();
    streams[0].run(&faces([1.0]), 1).unwrap();
    drop(streams);
    assert_eq!(batches.iter().count(), 1, "who sends batches is gone, or this would not return");
}

#[test]
fn a_batch_of_another_length_is_refused() {
    let (mut streams, ..) = joined("length", 1, 10, Options::default());
    let error = streams[0].run(&[0.0; 100], 2).unwrap_err().to_string();
    assert!(error.contains("100 values") && error.contains("64 a face"), "{error}");
}
