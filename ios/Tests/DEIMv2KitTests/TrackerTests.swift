import XCTest

@testable import DEIMv2Kit

final class TrackerTests: XCTestCase {
  struct Tracks: Decodable {
    struct Case: Decodable {
      let name: String
      let threshold: Float
      let frames: [Frame]
    }
    struct Frame: Decodable {
      let detections: [Detection]
      let ids: [Int?]
    }
    let cases: [Case]
  }

  func testIdsAreThoseOfPython() throws {
    let cases = try (Vectors.read("tracks.json") as Tracks).cases
    XCTAssertGreaterThan(cases.count, 5)
    for row in cases {
      var tracker = Tracker()
      for (i, frame) in row.frames.enumerated() {
        let ids = tracker.update(frame.detections, threshold: row.threshold)
        XCTAssertEqual(ids, frame.ids, "\(row.name), frame \(i)")
      }
    }
  }

  func testOtherLabelsOfABoxAreRepeated() {
    let (one, two) = (Box(x1: 0, y1: 0, x2: 1, y2: 1), Box(x1: 0, y1: 0, x2: 1, y2: 0.5))
    let found = [one, two, one].map { Detection(label: 0, score: 0.5, box: $0) }
    XCTAssertEqual(found.indices.map(found.isRepeated), [false, false, true])
  }
}
