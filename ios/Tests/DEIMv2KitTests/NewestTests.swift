import XCTest

@testable import DEIMv2Kit

final class NewestTests: XCTestCase {
  /// What was prepared, from any thread.
  private final class Log: @unchecked Sendable {
    private let lock = NSLock()
    private var frames: [Int] = []

    func add(_ frame: Int) { lock.withLock { frames.append(frame) } }
    var all: [Int] { lock.withLock { frames } }
  }

  func testFramesThatComeWhileTheReaderIsBusyAreNotPrepared() async throws {
    let log = Log()
    let (prepared, frames) = newest { (frame: Int) in
      log.add(frame)
      return frame * 10
    }
    for frame in 1...4 { frames.yield(frame) }
    XCTAssertEqual(log.all, [], "before anyone asks")
    var reader = prepared.makeAsyncIterator()
    let first = try await reader.next()
    XCTAssertEqual(first, 40)
    for frame in 5...9 { frames.yield(frame) }
    frames.finish()
    let second = try await reader.next()
    let third = try await reader.next()
    XCTAssertEqual(second, 90)
    XCTAssertNil(third)
    XCTAssertEqual(log.all, [4, 9])
  }

  func testAFailureEndsIt() async throws {
    let log = Log()
    let (prepared, frames) = newest { (frame: Int) throws -> Int in
      log.add(frame)
      throw DEIMv2Error.image(reason: "frame \(frame)")
    }
    let ended = expectation(description: "the camera is told")
    frames.onTermination = { _ in ended.fulfill() }
    frames.yield(1)
    do {
      for try await _ in prepared { XCTFail("a frame that could not be prepared") }
      XCTFail("no error")
    } catch {
      XCTAssertEqual(error as? DEIMv2Error, .image(reason: "frame 1"))
    }
    frames.finish()
    XCTAssertEqual(log.all, [1])
    await fulfillment(of: [ended], timeout: 10)
  }

  func testTheMainThreadPreparesNothing() async throws {
    let read = Task { @MainActor in
      let (prepared, frames) = newest { (_: Int) in Thread.isMainThread }
      frames.yield(1)
      frames.finish()
      var isMain: [Bool] = []
      for try await one in prepared { isMain.append(one) }
      return isMain
    }
    let isMain = try await read.value
    XCTAssertEqual(isMain, [false])
  }
}
