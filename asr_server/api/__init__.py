"""The gRPC edge: the only room that knows gRPC and the wire messages. Knows no engine library and no telemetry library."""
