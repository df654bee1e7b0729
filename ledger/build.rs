//! A new migration is a reason to build this crate again: the macro that embeds them is told
//! only of those that were there before.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
