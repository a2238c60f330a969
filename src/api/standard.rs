//! The services every gRPC tool expects: health and reflection, as tonic has them.

use std::convert::Infallible;

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use super::body::Body;
use super::proto;

type Inner = BoxCloneSyncService<Request<tonic::body::Body>, Response<tonic::body::Body>, Infallible>;

/// Longest message these services read. Bytes.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

const OURS: [&str; 3] = ["comptoir.v1.OfferService", "comptoir.v1.PriceService", "comptoir.v1.StockService"];

pub struct Standard {
    services: [(String, Inner); 2],
    reporter: HealthReporter,
}

impl Default for Standard {
    fn default() -> Self {
        // Its own name, "", begins as serving.
        let reporter = HealthReporter::new();
        let health = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .expect("descriptors that were compiled into the binary");
        Self {
            services: [
                named(health.max_decoding_message_size(MESSAGE_BYTES_MAX)),
                named(reflection.max_decoding_message_size(MESSAGE_BYTES_MAX)),
            ],
            reporter,
        }
    }
}

fn named<S>(service: S) -> (String, Inner)
where
    S: tower::Service<Request<tonic::body::Body>, Response = Response<tonic::body::Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    (format!("/{}/", S::NAME), BoxCloneSyncService::new(service))
}

impl Standard {
    /// Our services begin and stop to serve with the listener.
    pub async fn start(&self) {
        for name in OURS {
            self.reporter.set_service_status(name, ServingStatus::Serving).await;
        }
    }

    pub async fn stop(&self) {
        for name in std::iter::once("").chain(OURS) {
            self.reporter.set_service_status(name, ServingStatus::NotServing).await;
        }
    }

    pub fn has(&self, path: &str) -> bool {
        self.services.iter().any(|(prefix, _)| path.starts_with(prefix))
    }

    pub async fn call(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        let Some((_, service)) = self.services.iter().find(|(prefix, _)| path.starts_with(prefix)) else {
            return Response::default();
        };
        let Ok(response) = service.clone().oneshot(request.map(tonic::body::Body::new)).await;
        response.map(Body::Tonic)
    }
}
