import XCTest

@testable import DEIMv2Kit

final class DetectionTests: XCTestCase {
  struct Boxes: Decodable {
    struct Case: Decodable {
      let width, height, rotation: Int
      let box, pixels: Box
    }
    let cases: [Case]
  }

  /// tests/vectors/boxes.json: to_frame(box, width, height, rotation).
  func testBoxesLieInTheFrameWherePythonPutsThem() throws {
    let cases = try (Vectors.read("boxes.json") as Boxes).cases
    XCTAssertEqual(Set(cases.map(\.rotation)), [0, 90, 180, 270])
    for row in cases {
      let rotation = try XCTUnwrap(Rotation(rawValue: row.rotation))
      let found = row.box.inFrame(width: row.width, height: row.height, rotation: rotation)
      let place = "\(row)"
      XCTAssertEqual(found.x1, row.pixels.x1, accuracy: 1e-3, place)
      XCTAssertEqual(found.y1, row.pixels.y1, accuracy: 1e-3, place)
      XCTAssertEqual(found.x2, row.pixels.x2, accuracy: 1e-3, place)
      XCTAssertEqual(found.y2, row.pixels.y2, accuracy: 1e-3, place)
    }
  }

  func testOutputsArePutTogether() throws {
    let manifest = try Manifest(folder: Vectors.folder.appending(path: "folder"))
    XCTAssertEqual(manifest.queries, 2)
    let found = try manifest.detections(
      boxes: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], scores: [0.9, 0.8], labels: [1, 0])
    XCTAssertEqual(found[1].box, Box(x1: 0.4, y1: 0.5, x2: 0.6, y2: 0.7))
    XCTAssertEqual(found[1].label, 0)
    XCTAssertEqual(try manifest.name(of: found[0]), manifest.labels[1])
    XCTAssertThrowsError(
      try manifest.detections(boxes: [0, 0.1], scores: [0.9, 0.8], labels: [1, 0])
    ) {
      XCTAssertEqual("\($0)", "output 'boxes' is 2 numbers, expected 8; export again")
    }
  }

  func testABoxOfThreeNumbersIsRefused() {
    let text = Data(#"[{"label": 1, "score": 0.5, "box": [1, 2, 3]}]"#.utf8)
    XCTAssertThrowsError(try JSONDecoder().decode([Detection].self, from: text))
  }

  /// The Neural Engine computes in float16 alone.
  func testAFloat32ModelIsNotMeasuredOnTheNeuralEngine() {
    XCTAssertFalse(ComputeUnits.candidates(for: .fp32).contains(.cpuAndNeuralEngine))
    XCTAssertEqual(ComputeUnits.candidates(for: .fp16).first, .cpuAndNeuralEngine)
  }
}
