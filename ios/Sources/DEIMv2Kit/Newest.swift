/// Prepares the newest of what is offered, at the moment when it is asked for: what comes while its reader is
/// busy replaces what waits, and costs nothing. For one reader. `prepare` runs on no actor, and not on the main
/// thread; what it throws ends the sequence.
public func newest<Offered: Sendable, Prepared: Sendable>(
  _ prepare: @escaping @Sendable (Offered) throws -> Prepared
) -> (
  prepared: AsyncThrowingMapSequence<AsyncThrowingStream<Offered, any Error>, Prepared>,
  offers: AsyncThrowingStream<Offered, any Error>.Continuation
) {
  let (stream, offers) = AsyncThrowingStream.makeStream(
    of: Offered.self, throwing: (any Error).self, bufferingPolicy: .bufferingNewest(1))
  return (stream.map { try await onNoActor(prepare, $0) }, offers)
}

/// `map` alone calls a synchronous function where its reader is.
private func onNoActor<Offered: Sendable, Prepared: Sendable>(
  _ prepare: @Sendable (Offered) throws -> Prepared, _ offered: Offered
) async throws -> Prepared { try prepare(offered) }
