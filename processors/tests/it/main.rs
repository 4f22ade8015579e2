//! What happens by itself, on a real PostgreSQL, a real JetStream, real engines and a real mail
//! server's conversation.

mod dead_letters;
mod engines;
mod erasing;
mod house;
mod mails;
mod mutated;
mod policies;
mod queue;
mod reading;
mod unreadable;

/// Runs as the engine's child when it is started with words behind its own name.
#[test]
#[ignore = "the body of the child processes that other tests start"]
fn child_main() {
    let words: Vec<String> = std::env::args()
        .skip_while(|word| word != house::CHILD)
        .skip(1)
        .collect();
    if let Some(rest) = words.get(3..) {
        let _ = media::engine_child::run(rest);
    }
}
