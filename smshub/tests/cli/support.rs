//! The binary, and an installation of its own for a test.

use platform::kafka::KafkaSettings;
use platform::kafka::topics::{TopicAdmin, Topics};
use std::process::Output;
use std::time::Duration;
use testkit::postgres::Schema;

/// Far longer than any command here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// The binary, with none of our variables set.
pub fn smshub() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_smshub"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SMSHUB_")) {
        command.env_remove(name);
    }
    command
}

/// Exit code, stdout and stderr.
pub fn ended(command: &mut assert_cmd::Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.timeout(LIMIT).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().expect("it ends by itself in time"), text(stdout), text(stderr))
}

/// Tables and topics of one test.
pub struct Installation {
    pub schema: Schema,
    pub kafka: KafkaSettings,
}

impl Installation {
    /// Tables only.
    pub async fn tables() -> Self {
        Installation { schema: Schema::new(&ledger::MIGRATIONS).await, kafka: testkit::kafka::settings() }
    }

    /// Tables and topics.
    pub async fn whole() -> Self {
        let installation = Installation::tables().await;
        assert_eq!(installation.run(&["migrate"]).0, 0);
        let (code, _, error) = installation.run(&["topics", "create"]);
        assert_eq!(code, 0, "{error}");
        installation
    }

    /// Runs the binary over this installation.
    pub fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let postgres = self.schema.settings();
        let mut command = smshub();
        command
            .args(arguments)
            .env("SMSHUB__POSTGRES__URL", postgres.url.expose())
            .env("SMSHUB__POSTGRES__SCHEMA", &postgres.schema)
            .env("SMSHUB__KAFKA__BOOTSTRAP", &self.kafka.bootstrap)
            .env("SMSHUB__KAFKA__TOPIC_PREFIX", &self.kafka.topic_prefix)
            .env("SMSHUB__KAFKA__PARTITIONS", self.kafka.partitions.to_string())
            .env("SMSHUB__KAFKA__FLUSH_EACH_RECORD", "false");
        ended(&mut command)
    }

    /// Runs it, and expects success and one line: that line.
    pub fn line(&self, arguments: &[&str]) -> String {
        let (code, out, error) = self.run(arguments);
        assert_eq!((code, error.as_str()), (0, ""), "{arguments:?}: {out}");
        assert_eq!(out.lines().count(), 1, "{out}");
        out.trim().to_owned()
    }

    pub fn topics(&self) -> Topics {
        Topics::new(&self.kafka.topic_prefix, 1)
    }

    pub async fn drop(self) {
        let _ = TopicAdmin::new(&self.kafka).unwrap().delete(&self.topics()).await;
        self.schema.drop().await;
    }
}
