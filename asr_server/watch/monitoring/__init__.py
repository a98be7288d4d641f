"""What a monitoring system is given: objectives as alerting rules for Prometheus, and a dashboard for Grafana.

Made from the names the server measures under (`watch.telemetry.metrics`), so that neither asks for something that is not there.
"""
