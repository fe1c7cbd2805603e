//! What the action dialect costs: a message read, a reply and an event written, and a frame through the WebSocket reader.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use roomcast::dialect::{DialectKey, Limits};
use roomcast::hub::{Event, Reply, Who};
use roomcast::id::{ConnectionId, Uuid};
use roomcast::proto::websocket::{Inlet, Message, Reader};

const LIMITS: Limits = Limits { max_text: 16_384 };
const SIZES: [usize; 3] = [64, 1_024, 16_384];

fn decode(criterion: &mut Criterion) {
    let action = DialectKey::by_path("/chatserver/connect").map(DialectKey::dialect);
    let Some(action) = action else { return };
    let mut group = criterion.benchmark_group("decode");
    for size in SIZES {
        let frame = format!(r#"{{"action":"room_message","message":"{}"}}"#, "x".repeat(size));
        group.throughput(Throughput::Bytes(frame.len() as u64));
        group.bench_function(format!("room_message, {size} bytes"), |bencher| {
            bencher.iter(|| action.decode(Message::Text(black_box(&frame)), &LIMITS));
        });
    }
    let join = r#"{"action":"join","room":"lobby"}"#;
    group.throughput(Throughput::Bytes(join.len() as u64));
    group.bench_function("join", |bencher| bencher.iter(|| action.decode(Message::Text(black_box(join)), &LIMITS)));
}

fn encode(criterion: &mut Criterion) {
    let action = DialectKey::by_path("/chatserver/connect").map(DialectKey::dialect);
    let Some(action) = action else { return };
    let mut group = criterion.benchmark_group("encode");
    let mut wire = Vec::new();
    for size in SIZES {
        let text: std::rc::Rc<str> = "x".repeat(size).into();
        let from = Who::Guest { connection: ConnectionId(123), uuid: Uuid::nil() };
        let event = Event::RoomMessage { room: "tea".into(), from, text, stored: None };
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(format!("room_message event, {size} bytes"), |bencher| {
            bencher.iter(|| {
                wire.clear();
                action.event(black_box(&event), &mut wire);
            });
        });
    }
    let reply = Reply::Joined { room: "lobby".into() };
    group.bench_function("join reply", |bencher| {
        bencher.iter(|| {
            wire.clear();
            action.reply(black_box(&reply), None, &mut wire);
        });
    });
}

fn read_frame(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read frame");
    for size in SIZES {
        let mut frame = vec![0x81, 0x80 | 126, (size >> 8) as u8, size as u8, 1, 2, 3, 4];
        if size < 126 {
            frame = vec![0x81, 0x80 | size as u8, 1, 2, 3, 4];
        }
        frame.extend((0..size).map(|place| b'x' ^ [1, 2, 3, 4][place % 4]));
        let (reader, mut inlet) = (Reader::new(65_536), Inlet::default());
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(format!("{size} bytes"), |bencher| {
            bencher.iter(|| reader.next(&mut black_box(&frame[..]), &mut inlet));
        });
    }
}

criterion_group!(benches, decode, encode, read_frame);
criterion_main!(benches);
