import XCTest

@testable import DEIMv2Kit

final class TemporaryFileTests: XCTestCase {
  private let folder = FileManager.default.temporaryDirectory
    .appending(path: "temporary-\(UUID().uuidString)")

  override func setUpWithError() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  override func tearDownWithError() throws { try FileManager.default.removeItem(at: folder) }

  private func left() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path)
  }

  private func write() throws -> TemporaryFile {
    let file = TemporaryFile(extension: "mp4", in: folder)
    try Data("frames".utf8).write(to: file.url)
    return file
  }

  func testItStaysAsLongAsOneUserIsLeft() throws {
    var first: TemporaryFile? = try write()
    var second = first
    first = nil
    XCTAssertEqual(try left(), [second?.url.lastPathComponent])
    XCTAssertEqual(second?.url.pathExtension, "mp4")
    second = nil
    XCTAssertEqual(try left(), [])
  }

  func testNothingIsLeftOfAFailure() throws {
    func fail() throws {
      let file = try write()
      XCTAssertEqual(try left().count, 1)
      throw DEIMv2Error.image(reason: file.url.pathExtension)
    }
    XCTAssertThrowsError(try fail())
    XCTAssertEqual(try left(), [])
  }

  func testNothingIsLeftWhenItIsStopped() async throws {
    let task = Task { [folder] in
      let file = TemporaryFile(extension: "mp4", in: folder)
      try Data("half a video".utf8).write(to: file.url)
      try await Task.sleep(for: .seconds(60))
      return file
    }
    while try left().isEmpty { try await Task.sleep(for: .milliseconds(1)) }
    task.cancel()
    let stopped = await task.result
    XCTAssertThrowsError(try stopped.get()) { XCTAssertTrue($0 is CancellationError) }
    XCTAssertEqual(try left(), [])
  }

  func testEachHasANameOfItsOwn() throws {
    let (first, second) = (try write(), try write())
    XCTAssertNotEqual(first.url, second.url)
    XCTAssertEqual(try left().count, 2)
    withExtendedLifetime((first, second)) {}
  }

  func testOneThatWasNeverWrittenIsNoProblem() throws {
    var file: TemporaryFile? = TemporaryFile(extension: "mp4", in: folder)
    XCTAssertNotNil(file)
    file = nil
    XCTAssertEqual(try left(), [])
  }

  func testSidesAreEvenAndNotLongerThanAsked() {
    for (given, expected) in [
      ((1920, 1080), (1280, 720)), ((1080, 1920), (720, 1280)), ((640, 480), (640, 480)),
      ((853, 481), (852, 480)), ((1, 4000), (2, 1280)), ((1, 1), (2, 2)),
    ] {
      let size = evenSize(width: given.0, height: given.1, longest: 1280)
      XCTAssertTrue(size == expected, "\(given) gives \(size)")
    }
  }
}
