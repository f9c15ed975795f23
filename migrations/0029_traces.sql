-- Traces: where an event, and an execution, stands among everything that one request led to (W3C trace context).

-- Id of the trace (16 bytes), the span that it comes of (8; zeros: none), flags (1). Null: the trace of its request, of which nobody is told.
ALTER TABLE events ADD COLUMN trace bytea;
ALTER TABLE events ADD CONSTRAINT events_trace_check CHECK (octet_length(trace) = 25);

-- Id of the trace that it is part of. Null: that of its request, which has the same digits.
ALTER TABLE executions ADD COLUMN trace_id uuid;
