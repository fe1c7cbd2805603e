//! What an outbox adds to the write itself: frames pushed and flushed into a writer that takes everything.

use std::io::{self, IoSlice, Write};
use std::rc::Rc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use roomcast::net::outbox::{Outbox, Shared};

/// Takes everything, and only counts.
struct Sink(usize);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = slices.iter().map(|slice| slice.len()).sum();
        self.0 += count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn push_and_flush(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outbox");
    let frame: Shared = Rc::from([b'x'; 130]);
    for frames in [1, 4, 16, 64, 256] {
        let mut outbox = Outbox::default();
        let mut sink = Sink(0);
        let mut scratch = Vec::new();
        group.throughput(Throughput::Elements(frames));
        group.bench_function(format!("{frames} frames"), |bencher| {
            bencher.iter(|| {
                for _ in 0..frames {
                    outbox.push(Shared::clone(&frame));
                }
                outbox.flush(None, &mut sink, &mut scratch)
            });
        });
    }
}

/// Over ten thousand outboxes every one is cold.
fn a_crowd(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outboxes");
    let frame: Shared = Rc::from([b'x'; 130]);
    for count in [100, 10_000] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("one frame to each of {count}"), |bencher| {
            bencher.iter_batched_ref(
                || std::iter::repeat_with(Outbox::default).take(count).collect::<Vec<_>>(),
                |outboxes| {
                    let (mut sink, mut scratch) = (Sink(0), Vec::new());
                    outboxes
                        .iter_mut()
                        .map(|outbox| outbox.flush(Some(Shared::clone(&frame)), &mut sink, &mut scratch))
                        .filter(Result::is_ok)
                        .count()
                },
                BatchSize::LargeInput,
            );
        });
    }
}

criterion_group!(benches, push_and_flush, a_crowd);
criterion_main!(benches);
