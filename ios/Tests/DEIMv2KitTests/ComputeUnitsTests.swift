import XCTest

@testable import DEIMv2Kit

/// The choice of processors is kept until the system changes.
final class ComputeUnitsTests: XCTestCase {
  private let file = FileManager.default.temporaryDirectory
    .appending(path: "units-\(UUID().uuidString)/new/model.json")

  func testAChoiceIsKeptForTheSystemThatItWasMadeOn() throws {
    XCTAssertNil(RememberedUnits.read(file, system: "18.1"))
    RememberedUnits.write(.cpuAndNeuralEngine, to: file, system: "18.1")
    XCTAssertEqual(RememberedUnits.read(file, system: "18.1"), .cpuAndNeuralEngine)
    XCTAssertNil(RememberedUnits.read(file, system: "18.2"))
  }

  func testADamagedFileIsNoChoice() throws {
    RememberedUnits.write(.all, to: file, system: "18.1")
    try Data("{".utf8).write(to: file)
    XCTAssertNil(RememberedUnits.read(file, system: "18.1"))
  }

  func testAPlaceThatCannotBeWrittenIsNoProblem() {
    let nowhere = URL(filePath: "/proc/nowhere/model.json")
    RememberedUnits.write(.all, to: nowhere, system: "18.1")
    XCTAssertNil(RememberedUnits.read(nowhere, system: "18.1"))
  }
}
