"""What stays visible: listeners, never callers. Knows no gRPC and no recogniser; `telemetry` alone names the tracing library."""
