//! Certificates from an authority: the client and the listener against a strict directory, all in memory and
//! on paused time.

#![cfg(test)]

mod world;

use std::sync::atomic::Ordering;
use std::time::Duration;

use self::world::{World, issued_to};
use pointsman_testkit::acme::Faults;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ORDERED: [&str; 5] =
    ["account", "order a.test b.test", "valid a.test", "valid b.test", "issued a.test b.test"];

#[tokio::test(start_paused = true)]
async fn a_certificate_is_obtained_served_kept_and_renewed() {
    let world = World::new();
    let first = world.acme(&["a.test", "b.test"]);
    let refused = world.connect("a.test", &[b"http/1.1"]).await.unwrap_err();
    assert!(refused.contains("AccessDenied"), "{refused}");
    let running = world.run(&first);
    world.settled(&first).await;
    let expiry = world.expiry.load(Ordering::Relaxed);
    assert_eq!(first.state().borrow().not_after, Some(expiry));
    let shown = world.connect("a.test", &[b"http/1.1"]).await.unwrap();
    assert_eq!(issued_to(&shown), ["a.test", "b.test"]);
    assert_eq!(world.connect("b.test", &[b"h2"]).await.unwrap(), shown);
    assert_eq!(world.directory.log(), ORDERED);

    // A restart asks for nothing.
    running.stop().await;
    let second = world.acme(&["b.test", "a.test"]);
    let running = world.run(&second);
    world.settled(&second).await;
    assert_eq!(world.connect("a.test", &[]).await.unwrap(), shown);
    assert_eq!(world.directory.log(), ORDERED);

    // Renewed after two thirds of 90 days, with the same account.
    tokio::time::sleep(DAY * 59).await;
    assert_eq!(world.directory.log(), ORDERED);
    tokio::time::sleep(DAY).await;
    assert_eq!(
        world.directory.log()[5..],
        ["order b.test a.test", "valid b.test", "valid a.test", "issued b.test a.test"]
    );
    assert_ne!(world.connect("a.test", &[]).await.unwrap(), shown);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_challenge_is_answered_only_while_one_is_pending() {
    let world = World::new();
    let acme = world.acme(&["a.test"]);
    let early = world.connect("a.test", &[b"acme-tls/1"]).await.unwrap_err();
    assert!(early.contains("AccessDenied"), "{early}");
    let running = world.run(&acme);
    world.settled(&acme).await;
    assert!(world.connect("a.test", &[b"acme-tls/1"]).await.is_err(), "no more");
    assert!(world.connect("a.test", &[b"http/1.1"]).await.is_ok());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_refuses_is_left_alone_as_long_as_it_asks() {
    let world = World::new();
    let refusal = ("rateLimited", "too many certificates for a.test", Some(7_200));
    world.directory.break_down(Faults { refuse_orders: Some(refusal), ..Faults::default() });
    let acme = world.acme(&["a.test"]);
    let running = world.run(&acme);
    let problem = world.problem(&acme).await;
    let told = "the directory says no: too many certificates for a.test (rateLimited); hint: wait; ";
    assert!(problem.starts_with(told), "{problem}");
    tokio::time::sleep(Duration::from_secs(7_199)).await;
    assert_eq!(world.directory.log(), ["account", "refused rateLimited"]);
    world.directory.break_down(Faults::default());
    world.settled(&acme).await;
    assert_eq!(world.directory.log()[2..], ["order a.test", "valid a.test", "issued a.test"]);
    assert!(acme.state().borrow().problem.is_none());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_leads_elsewhere_is_told_with_what_the_authority_saw() {
    let world = World::new();
    world.lead_astray(true);
    let acme = world.acme(&["a.test"]);
    let running = world.run(&acme);
    let problem = world.problem(&acme).await;
    assert!(problem.starts_with("the authority could not check a.test: "), "{problem}");
    assert!(problem.contains("incorrectResponse") && problem.contains("port 443"), "{problem}");
    assert!(world.connect("a.test", &[]).await.is_err());
    world.lead_astray(false);
    world.settled(&acme).await;
    assert!(world.directory.log().iter().any(|line| line.starts_with("invalid a.test: ")));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_directory_out_of_order_is_tried_again() {
    let world = World::new();
    world.directory.break_down(Faults { down: true, ..Faults::default() });
    let acme = world.acme(&["a.test"]);
    let running = world.run(&acme);
    let problem = world.problem(&acme).await;
    let told = "the directory cannot be reached: https://acme.test/directory answers 503 Service Unavailable";
    assert!(problem.starts_with(told), "{problem}");
    world.directory.break_down(Faults { stale_nonces: 2, ..Faults::default() });
    world.settled(&acme).await;
    assert_eq!(world.directory.log()[..3], ["refused badNonce", "refused badNonce", "account"]);

    // An account that the authority has lost is made anew at the next renewal.
    world.directory.forget_accounts();
    let due = world.clock.now() + DAY * 60;
    while world.directory.log().iter().filter(|line| line.starts_with("issued")).count() < 2 {
        assert!(world.clock.now() < due + DAY, "{:?}", world.directory.log());
        tokio::time::sleep(DAY / 24).await;
    }
    assert!(world.directory.log().contains(&"refused accountDoesNotExist".to_owned()));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn other_domains_get_a_certificate_while_the_old_one_is_served() {
    let world = World::new();
    let acme = world.acme(&["a.test"]);
    let running = world.run(&acme);
    world.settled(&acme).await;
    let before = world.connect("a.test", &[]).await.unwrap();
    world.directory.break_down(Faults { down: true, ..Faults::default() });
    acme.follow(&world.options(&["a.test", "b.test"]));
    world.problem(&acme).await;
    assert_eq!(world.connect("a.test", &[]).await.unwrap(), before);
    world.directory.break_down(Faults::default());
    acme.state().wait_for(|state| state.problem.is_none()).await.unwrap();
    assert_eq!(issued_to(&world.connect("b.test", &[]).await.unwrap()), ["a.test", "b.test"]);
    // And back: it is still in the cache.
    let orders = world.directory.log().len();
    acme.follow(&world.options(&["a.test"]));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.connect("a.test", &[]).await.unwrap(), before);
    assert_eq!(world.directory.log().len(), orders);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn clients_that_must_show_a_certificate_do_not_keep_the_authority_out() {
    let world = World::new();
    let mut options = world.options(&["a.test"]);
    options.client_roots = world.client_roots();
    let acme = world.acme_with(options);
    let running = world.run(&acme);
    world.settled(&acme).await;
    let refused = world.connect("a.test", &[]).await.unwrap_err();
    assert!(refused.contains("CertificateRequired"), "{refused}");
    // The terms follow the configuration at once, without another order.
    acme.follow(&world.options(&["a.test"]));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.connect("a.test", &[]).await.is_ok());
    assert_eq!(world.directory.log().len(), 4);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_is_hardly_valid_is_not_asked_for_again_and_again() {
    let world = World::new();
    world.directory.issue_for(Duration::from_secs(3_600));
    let acme = world.acme(&["a.test"]);
    let running = world.run(&acme);
    let problem = world.problem(&acme).await;
    assert!(problem.contains("the certificate is not valid now, or only for moments"), "{problem}");
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let orders = world.directory.log().iter().filter(|line| line.starts_with("order")).count();
    assert!((2..=5).contains(&orders), "{orders}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn shutting_down_does_not_wait_for_the_directory() {
    let world = World::new();
    world.black_hole();
    let acme = world.acme(&["a.test"]);
    let running = world.run(&acme);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = world.clock.now();
    running.stop().await;
    assert_eq!(world.clock.now(), before);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_cannot_be_kept_is_served_and_not_ordered_again_and_again() {
    let world = World::new();
    let cache = world.options(&["a.test"]).cache;
    let acme = world.acme(&["a.test"]);
    let running = world.run(&acme);
    world.settled(&acme).await;
    running.stop().await;

    // In the place of the certificate's file is a folder, as if the disk were full from here on.
    let mut files = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
    let kept = files.find(|path| path.extension().is_some_and(|extension| extension == "pem")).unwrap();
    std::fs::remove_file(&kept).unwrap();
    std::fs::create_dir(&kept).unwrap();
    let acme = world.acme(&["a.test"]);
    let running = world.run(&acme);
    let problem = world.problem(&acme).await;
    assert!(
        problem.contains(kept.to_str().unwrap()) && problem.contains("`server.tls.acme.cache`"),
        "{problem}"
    );
    assert!(world.connect("a.test", &[b"http/1.1"]).await.is_ok(), "what was issued is served");
    tokio::time::sleep(DAY).await;
    let issued = world.directory.log().iter().filter(|line| line.starts_with("issued")).count();
    assert_eq!(issued, 2, "{:?}", world.directory.log());
    running.stop().await;
}
