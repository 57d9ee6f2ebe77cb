// Compile-only: names of CoreFoundation that Foundation on Linux does not give. Nothing here runs.
@_exported import Foundation

// Bridged by `as` on Apple's systems; the same type here.
public typealias CFString = String
public typealias CFData = Data
public typealias CFDictionary = [String: Any]
public typealias CFAllocator = AnyObject
public typealias OSType = UInt32
public typealias OSStatus = Int32

public func stub() -> Never { fatalError("compile-only stub") }

// Of Foundation, which has it on Apple's systems alone.
extension ProcessInfo {
  public enum ThermalState: Int, Sendable { case nominal, fair, serious, critical }
  public var thermalState: ThermalState { stub() }
}

// Of Dispatch, likewise.
public final class DispatchSerialQueue: SerialExecutor {
  public init(label: String) {}
  public func enqueue(_ job: consuming ExecutorJob) { stub() }
}
