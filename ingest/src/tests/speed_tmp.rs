#![allow(unsafe_code, missing_docs)]
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;
use domain::money::Money; use domain::tariff::Tariff; use domain::time::UnixMillis; use domain::id::{ChunkId, Run};
use wire::Version;
static COUNT: AtomicUsize = AtomicUsize::new(0);
struct Counting;
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, l: Layout) -> *mut u8 { COUNT.fetch_add(1, Relaxed); unsafe { System.alloc(l) } }
    unsafe fn dealloc(&self, p: *mut u8, l: Layout) { unsafe { System.dealloc(p, l) } }
    unsafe fn realloc(&self, p: *mut u8, l: Layout, n: usize) -> *mut u8 { COUNT.fetch_add(1, Relaxed); unsafe { System.realloc(p, l, n) } }
}
#[global_allocator] static A: Counting = Counting;
#[test]
fn speed() {
    let mut s = super::settings::settings(); s.limits.bulk_messages = 10_000;
    let rules = crate::rules::Rules::new(&s).unwrap();
    let caller = crate::keys::Identity { account: 1, scopes: vec![], lines: vec!["100002".into()] };
    let tariff = Tariff::new(1, Tariff::default_rows()).unwrap();
    let c = crate::prepare::Context { rules: &rules, caller: &caller, tariff: &tariff, now: UnixMillis(1_800_000_000_000) };
    let to: Vec<String> = (0..10_000).map(|n| format!("0912{n:07}")).collect();
    let names = ["سارا","علی","رضا","مریم"];
    let each: Vec<serde_json::Value> = (0..10_000).map(|n| serde_json::json!({"to": to[n], "text": format!("{} عزیز، سفارش شماره {n} شما آماده تحویل است. با احترام فروشگاه", names[n%4])})).collect();
    for (name, body) in [("one text", serde_json::json!({"text":"سلام دنیا","to":to}).to_string()), ("each", serde_json::json!({"messages": each}).to_string())] {
        for round in 0..5 {
            let (t, n) = (Instant::now(), COUNT.load(Relaxed));
            let bulk = crate::prepare::bulk(body.as_bytes(), c).map_err(|_| ()).unwrap();
            let (t1, n1) = (t.elapsed(), COUNT.load(Relaxed) - n);
            let run = Run { first: ChunkId::new(ChunkId::floor(UnixMillis(1_767_225_601_000))).unwrap(), count: bulk.cuts.len() as u32 };
            let bytes: usize = bulk.cuts.iter().cloned().zip(run.ids()).map(|(r, id)| crate::chunking::build(&bulk.call, r, id, run).encode(Version::NEWEST).len()).sum();
            println!("{name} {round}: body {} prepare {t1:?} {n1} allocs; all {:?} {} allocs; {} chunks {bytes} bytes price {:?}", body.len(), t.elapsed(), COUNT.load(Relaxed)-n, bulk.cuts.len(), bulk.price == Money::ZERO);
        }
    }
}
